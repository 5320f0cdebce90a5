import { needsModel } from '../../domain/blueprint.ts';
import { durationMs } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { PlannedGates } from '../../domain/gates.ts';
import { narrow, type RunLimits } from '../../domain/limits.ts';
import type { NewEvent } from '../../domain/events/index.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import type { RunOptions } from '../../domain/task.ts';
import { resolveBlueprint } from '../../blueprints/index.ts';
import { detachedBranch, resolveBase } from '../../git/base-ref.ts';
import type { ModelSlots } from '../../models/index.ts';
import type { SandboxDriver } from '../../domain/ports/sandbox.ts';
import type { ProjectSettings } from '../../domain/settings.ts';
import type { RunRepository } from './repository.ts';
import { assertSandbox, assertWithinCeilings } from './settings.ts';

/**
 * Pins what a run works on: base commit, blueprint, limits and models, within what the configuration allows. Nothing
 * of it changes afterwards.
 * @throws BerthError `BLUEPRINT_*`, `EGRESS_BEYOND_CEILING`, `SANDBOX_*_MISSING`, `MODEL_NOT_CONFIGURED` …
 */
export async function planRun(
  ctx: RunContext,
  repository: RunRepository,
  modelsFor: (options: RunOptions) => ModelSlots,
  settings: ProjectSettings,
  driver: Pick<SandboxDriver, 'name' | 'assertSuits'>,
  /** Principal ids of whose task it is, and of who handed it in. */
  requesters: () => Promise<readonly string[]>,
): Promise<void> {
  const { created } = ctx.log.state();
  if (created === null) throw new BerthError('INTERNAL', 'A run without its first entry.');
  const { options } = created;
  assertSandbox(settings, driver);
  const { base: pinned = null, checkpoint = null } = created.parent ?? {};
  const base =
    pinned === null
      ? await resolveBase(await repository.mirror(), options.base, ctx.signal)
      : { ...pinned, branch: pinned.ref };
  const files = await repository.files(base.commit);
  // What was asked for counts instead of the default, and never beyond the ceiling.
  const asked = { ...settings.limits, ...definedLimits(options.limits) };
  const allowed = narrow(asked, settings.ceiling);
  const { blueprint, source, limits } = await resolveBlueprint({
    given: givenBlueprint(options, settings),
    configured:
      settings.blueprint === null ? null : { text: settings.blueprint, revision: settings.revision },
    repository: { files: files.map((file) => file.path), read: (path) => repository.text(base.commit, path) },
    baseCommit: base.commit,
    allowed,
  });
  assertWithinCeilings(blueprint, settings);
  const models = needsModel(blueprint) ? modelsFor(options) : null;
  const gates = await plannedGates(settings, requesters);
  const planned: NewEvent = {
    type: 'run.planned',
    data: {
      base: { ref: base.branch ?? detachedBranch(base.commit), commit: base.commit },
      blueprint,
      source,
      limits,
      models:
        models === null ? {} : { primary: [...models.ids('primary')], condense: [...models.ids('condense')] },
      simulated: models?.simulated ?? false,
      ...(gates === null ? {} : { gates }),
      ...(Object.values(settings.egress.given).some((rules) => rules.length > 0)
        ? { egress: settings.egress.given }
        : {}),
    },
  };
  // A run that was branched off finds the working tree it begins with where every other finds its own.
  const begins: NewEvent[] = checkpoint === null ? [] : [{ type: 'checkpoint.saved', data: checkpoint }];
  await ctx.events.append(planned, ...begins);
}

/** Null: nothing has to be approved. */
async function plannedGates(
  { gates }: ProjectSettings,
  requesters: () => Promise<readonly string[]>,
): Promise<PlannedGates | null> {
  if (gates.at.length === 0) return null;
  return {
    at: [...new Set(gates.at)],
    selfApproval: gates.selfApproval,
    expiresAfterMs: durationMs(gates.expiresAfter),
    requesters: [...new Set(await requesters())],
  };
}

function givenBlueprint(options: RunOptions, settings: ProjectSettings): RunOptions['blueprint'] {
  if (options.blueprint !== null && settings.blueprint !== null) throw new BerthError('BLUEPRINT_FIXED');
  return options.blueprint;
}

function definedLimits(limits: RunOptions['limits']): Partial<RunLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
