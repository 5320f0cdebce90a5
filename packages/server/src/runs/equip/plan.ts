import { needsModel } from '../../domain/blueprint.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { defaultRunLimits, type RunLimits } from '../../domain/limits.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import type { RunOptions } from '../../domain/task.ts';
import { resolveBlueprint } from '../../blueprints/index.ts';
import { detachedBranch, resolveBase } from '../../git/base-ref.ts';
import type { ModelSlots } from '../../models/index.ts';
import type { RunRepository } from './repository.ts';

/** Pins what a run works on: base commit, blueprint, limits and models. Nothing of it changes afterwards. */
export async function planRun(
  ctx: RunContext,
  repository: RunRepository,
  modelsFor: (options: RunOptions) => ModelSlots,
): Promise<void> {
  const { created } = ctx.log.state();
  if (created === null) throw new BerthError('INTERNAL', 'A run without its first entry.');
  const { options } = created;
  const base = await resolveBase(await repository.mirror(), options.base, ctx.signal);
  const files = await repository.files(base.commit);
  const allowed = { ...defaultRunLimits, ...definedLimits(options.limits) };
  const { blueprint, source, limits } = await resolveBlueprint({
    given: options.blueprint,
    repository: { files: files.map((file) => file.path), read: (path) => repository.text(base.commit, path) },
    baseCommit: base.commit,
    allowed,
  });
  const models = needsModel(blueprint) ? modelsFor(options) : null;
  await ctx.events.append({
    type: 'run.planned',
    data: {
      base: { ref: base.branch ?? detachedBranch(base.commit), commit: base.commit },
      blueprint,
      source,
      limits,
      models:
        models === null ? {} : { primary: [...models.ids('primary')], condense: [...models.ids('condense')] },
      simulated: models?.simulated ?? false,
    },
  });
}

function definedLimits(limits: RunOptions['limits']): Partial<RunLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
