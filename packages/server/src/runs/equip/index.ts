import { decide, enterStep, type StepDeps } from '../../blueprints/index.ts';
import { needsModel } from '../../domain/blueprint.ts';
import type { ConfigRevision } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { newId } from '../../domain/ids.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';
import type { Forge } from '../../domain/ports/forge.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import type { SandboxDriver, SandboxLimits } from '../../domain/ports/sandbox.ts';
import type { ProjectSettings } from '../../domain/settings.ts';
import type { RunOptions } from '../../domain/task.ts';
import { withoutTokens } from '../../git/secret-scan.ts';
import { createLimitsGate } from '../../limits/create-limits-gate.ts';
import { setRunCaps } from '../../limits/set-run-caps.ts';
import type { ModelSlots } from '../../models/index.ts';
import { createWorkbench } from '../../sandboxes/workbench.ts';
import type { Database } from '../../store/database.ts';
import type { OwnRunParts, RunEquipment } from '../own-run.ts';
import { requestersOf } from '../requesters.ts';
import { egressOnRecord } from './egress-on-record.ts';
import { agentRunner } from './agent-runner.ts';
import { repositoryDelivery } from './delivery.ts';
import { judgeModel } from './judge.ts';
import { planRun } from './plan.ts';
import { prefetchSource } from './prefetch.ts';
import { offeringOf } from './offering.ts';
import { proposalStore } from './proposals.ts';
import { type FetchTargetOf, runRepository } from './repository.ts';
import { runSecrets, type SecretsForRuns } from './secrets.ts';
import { runSnapshots } from './snapshots.ts';
import {
  egressBounds,
  givenEgress,
  profileLimits,
  settingsOfRepository,
  type PinnedConfig,
} from './settings.ts';

/** What the installation offers to every run. */
export interface Installation {
  readonly home: string;
  readonly db: Database;
  readonly driver: SandboxDriver;
  readonly sandboxLimits: SandboxLimits;
  /** Where secrets of projects come from; none in tests that do not ask. */
  readonly secrets?: SecretsForRuns;
  /** Values that must not leave in a change, as far as they are known by now. */
  knownSecrets(): readonly string[];
  /** Where refused connections of sandboxes go on record; nowhere in tests that do not ask. */
  readonly audit?: AuditSink;
  readonly config: PinnedConfig;
  /**
   * The models a run asked for, under the revision of the configuration it pinned.
   * @throws BerthError `MODEL_NOT_CONFIGURED`, `CASSETTE_*`
   */
  modelsFor(options: RunOptions, settings: ProjectSettings, pinned: ConfigRevision): ModelSlots;
  /** The code host of a project; `mirror` is Berth's own copy of its repository. */
  forgeOf(projectId: string, mirror: string): Promise<Forge>;
  /** Left out: repositories are fetched from their addresses. */
  readonly fetchTargetOf?: FetchTargetOf;
}

/** Puts together what one run needs, from what the installation offers. */
export function equipRun(installation: Installation): OwnRunParts['equip'] {
  return async (base): Promise<RunEquipment> => {
    const { home, db, driver, sandboxLimits, config } = installation;
    const { created } = base.log.state();
    if (created === null) throw new BerthError('INTERNAL', 'A run without its first entry.');
    const pinned = await config.revision(created.configRevision ?? 0);
    const settings = settingsOfRepository(pinned, created.repository);
    const modelsFor = (options: RunOptions): ModelSlots => installation.modelsFor(options, settings, pinned);
    const repository = runRepository(
      home,
      created.repository,
      base.signal,
      () => base.log.state().plan !== null,
      installation.fetchTargetOf,
    );
    const { directory } = await repository.mirror();
    const redact = (text: string): string => withoutTokens(base.redaction?.text(text) ?? text);
    const forge = heldForge(
      await installation.forgeOf(created.projectId, directory),
      base.assertHeld,
      redact,
    );
    const secrets =
      installation.secrets === undefined
        ? undefined
        : await runSecrets({
            runId: base.runId,
            repository: created.repository,
            pinned: settings,
            config,
            installation: installation.secrets,
          });
    const bounds = egressBounds(config, settings, created.repository);
    const given = givenEgress(config, settings, created.repository);
    const workbench = createWorkbench({
      ...base,
      driver,
      limits: profileLimits(settings, sandboxLimits),
      profile: settings.sandbox,
      egressBounds: bounds,
      egressGiven: given,
      snapshots: runSnapshots({
        ...base,
        db,
        driver,
        projectId: created.projectId,
        profile: settings.sandbox,
        repository,
        egressBounds: bounds,
        egressGiven: given,
        ...(installation.audit === undefined ? {} : { audit: installation.audit }),
        allowed: () =>
          settings.snapshots && settingsOfRepository(config.current(), created.repository).snapshots,
      }),
      repository: repositoryDelivery(repository, db.blobs),
      newSandboxId: () => newId('s', db.clock.nowMs()),
      ...(secrets === undefined ? {} : { secrets }),
      ...(installation.audit === undefined
        ? {}
        : { onEgressRefused: egressOnRecord(installation.audit, base.runId, created.projectId) }),
    });
    const gate = createLimitsGate(db, base.runId, () => usedOutsideDatabase(base.log), installation.config);
    const limits: RunContext['limits'] = {
      ...gate,
      async reserve(request) {
        base.assertHeld();
        await gate.reserve(request);
      },
    };
    const offering = offeringOf({
      db,
      taskId: created.taskId,
      runId: base.runId,
      repository: created.repository,
      pinned: settings,
      config,
      read: installation.secrets?.read ?? null,
    });
    const proposals = proposalStore({
      assertHeld: base.assertHeld,
      repository,
      blobs: db.blobs,
      forge,
      knownSecrets: () => installation.knownSecrets(),
      ...offering.store,
      redact,
      state: () => base.log.state(),
    });
    const common = { proposals, prefetch: prefetchSource(repository), forge, offer: offering.offer };
    let deps: StepDeps | null = null;
    /** Once the run is planned: only then is it known whether a model is needed, and what may be spent. */
    const prepared = async (ctx: RunContext): Promise<StepDeps> => {
      if (deps !== null) return deps;
      const { plan } = ctx.log.state();
      if (plan === null) throw new BerthError('INTERNAL', 'A step was entered before the run was planned.');
      await setRunCaps(db, base.runId, plan.limits);
      const models = needsModel(plan.blueprint) ? modelsFor(created.options) : null;
      deps = {
        ...common,
        agent: models === null ? null : agentRunner(models, repository),
        judge: models === null ? null : judgeModel(models, () => offering.judgeMaxUsd()),
      };
      return deps;
    };
    return {
      workbench,
      limits,
      advance: {
        plan: (ctx) =>
          planRun(ctx, repository, modelsFor, settings, driver, () => requestersOf(db, created.taskId)),
        decide,
        perform: async (ctx, visit) => enterStep(ctx, await prepared(ctx), visit),
      },
    };
  };
}

/** A forge that is only written to while the run is ours, and never with a known secret. */
export function heldForge(
  forge: Forge,
  assertHeld: () => void,
  redact: (text: string) => string = (text) => text,
): Forge {
  return {
    kind: forge.kind,
    fetchUrl: forge.fetchUrl,
    // A run proposes; it does not talk.
    conversation: null,
    pushTarget: () => forge.pushTarget(),
    fetchTarget: () => forge.fetchTarget(),
    async openPullRequest(request) {
      assertHeld();
      const { title, body } = request;
      return forge.openPullRequest({ ...request, title: redact(title), body: redact(body) });
    },
    getPullRequest: (number) => forge.getPullRequest(number),
    listPullRequests: () => forge.listPullRequests(),
    merge: (number, options) => forge.merge(number, options),
    close: (number) => forge.close(number),
  };
}

function usedOutsideDatabase(log: RunContext['log']): { minutes: number; rounds: number } {
  const { use, steps } = log.state();
  return { minutes: use.activeMs / 60_000, rounds: Math.max(0, ...steps.map((step) => step.round)) };
}
