import type { AgentRunner, Failure } from '../../blueprints/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { runAgent } from '../../agent/index.ts';
import type { ModelSlots } from '../../models/index.ts';
import { rulesIn } from './prefetch.ts';
import type { RunRepository } from './repository.ts';

/** The builtin engine as the agent step calls it. */
export function agentRunner(models: ModelSlots, repository: RunRepository): AgentRunner {
  return {
    async run(ctx, { step, instructions, failures }) {
      const { created, plan } = ctx.log.state();
      if (created === null || plan === null)
        throw new BerthError('INTERNAL', 'An agent was started before the run was planned.');
      const prefetched = (await ctx.log.events({ types: ['context.prefetched'] }))[0];
      const items = prefetched?.type === 'context.prefetched' ? prefetched.data.items : [];
      const { result, code, summary } = await runAgent(ctx, {
        stepKey: step,
        opening:
          failures.length > 0
            ? { kind: 'repair', text: repairText(failures) }
            : {
                kind: 'task',
                brief: {
                  task: created.text,
                  ...(instructions === null ? {} : { instructions }),
                  items: items.filter((item) => item.kind !== 'map'),
                  map: items.find((item) => item.kind === 'map')?.text ?? '',
                },
              },
        models: { primary: models.model('primary'), condense: models.model('condense') },
        rules: (directory) => rulesIn(repository, plan.base.commit, directory),
      });
      return { step, result, code, summary };
    },
  };
}

/** What failed, and nothing else: the failing part of each output. */
function repairText(failures: readonly Failure[]): string {
  return failures
    .map(
      ({ name, command, exitCode, text }) =>
        `${name}: \`${command}\` ended with exit code ${exitCode ?? 'none'}:\n${text}`,
    )
    .join('\n\n');
}
