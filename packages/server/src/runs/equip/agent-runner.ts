import type { AgentRunner } from '../../blueprints/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { runAgent } from '../../agent/index.ts';
import type { ModelSlots } from '../../models/index.ts';
import { rulesIn } from './prefetch.ts';
import type { RunRepository } from './repository.ts';

/** The builtin engine as the agent step calls it. */
export function agentRunner(models: ModelSlots, repository: RunRepository): AgentRunner {
  return {
    async run(ctx, { stepKey, opening }) {
      const { plan } = ctx.log.state();
      if (plan === null) throw new BerthError('INTERNAL', 'An agent was started before the run was planned.');
      return runAgent(ctx, {
        stepKey,
        opening,
        models: { primary: models.model('primary'), condense: models.model('condense') },
        rules: (directory) => rulesIn(repository, plan.base.commit, directory),
      });
    },
  };
}
