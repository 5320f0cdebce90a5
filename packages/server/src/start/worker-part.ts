import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { BerthError } from '../domain/errors/index.ts';
import { modelsFor } from '../models-for.ts';
import { newId } from '../domain/ids.ts';
import { equipRun } from '../runs/equip/index.ts';
import { pauseKeepOf, poolWishes } from '../runs/equip/pools.ts';
import { expireGates } from '../runs/expire-gates.ts';
import { principalNow } from '../access/principal-now.ts';
import { startCampaigns } from '../runs/campaigns/start.ts';
import { reconcileSandboxes } from '../runs/reconcile.ts';
import { tellPeople } from '../runs/tell-people.ts';
import { startWorker, type WorkerStatus } from '../runs/worker.ts';
import { sharedKey } from '../access/sign-in/shared-key.ts';
import { defaultSandboxLimits } from '../sandboxes/default-limits.ts';
import { notifiersOf } from './notifiers.ts';
import { startDeliveries } from '../triggers/deliveries/start.ts';
import { startSchedules } from '../triggers/schedules/start.ts';
import { forWork } from '../store/database.ts';
import { deliveryPartsOf } from './deliveries.ts';
import type { Foundation } from './foundation.ts';
import type { StartServerOptions } from './options.ts';

/** A worker while it moves runs. */
export interface WorkerPart {
  status(): WorkerStatus;
  stop(): Promise<void>;
}

/** Claims runs and moves them; watches the clock for schedules. */
export function startWorkerPart(
  foundation: Foundation,
  options: StartServerOptions,
  announce: (workerId: string) => string | null,
  controlPlane: ControlPlane,
): WorkerPart {
  const { home, env, clock, hub, redact, redactor, secrets, config, audit, driver, forgeOf, log } =
    foundation;
  const db = forWork(foundation.db);
  // Looks at the host, and asks its tools for their registries, before the first run needs to know.
  driver.probe(foundation.signal).catch(() => undefined);
  const onError = (error: BerthError): void => {
    log.error('worker error', { error });
    foundation.onProgress(`${error.code}: ${error.message}`);
  };
  const sandboxLimits = { ...defaultSandboxLimits(), ...options.sandboxLimits };
  const equip = equipRun({
    home,
    db,
    driver,
    sandboxLimits,
    audit: audit.sink,
    knownSecrets: () => secrets.values(),
    secrets: {
      env,
      read: secrets.read,
      learn: (secret) => secrets.learn(secret),
      placeholderKey: sharedKey(db, 'placeholders'),
    },
    config,
    modelsFor: (runOptions, settings, { config: { models } }) =>
      modelsFor(env, runOptions, clock, redactor, {
        settings,
        models,
        now: config,
        read: secrets.read,
        learn: (secret) => secrets.learn(secret),
      }),
    forgeOf,
    fetchTargetOf: (repository) => foundation.forges.fetchTargetOf(repository),
  });
  const worker = startWorker({
    db,
    hub,
    home,
    redact,
    redaction: redactor,
    equip,
    maxRuns: options.maxRuns ?? 8,
    config,
    onError,
    log,
    announce,
    owned: foundation.owned,
    ...(options.onAppended === undefined ? {} : { onAppended: options.onAppended }),
  });
  const endExpiring = expireGates(db, onError);
  const endTelling = tellPeople(notifiersOf(foundation, onError));
  const schedules = startSchedules({ db, config, controlPlane, audit: audit.sink, onError });
  const deliveries = startDeliveries({
    ...deliveryPartsOf(foundation, controlPlane),
    publicUrl: () => config.current().config.server.publicUrl ?? null,
    onError,
  });
  const campaigns = startCampaigns(
    { db, controlPlane, audit: audit.sink, principalNow: principalNow(db, config) },
    { onError },
  );
  const endPool = driver.start({
    wishes: () => poolWishes(config.current().config, sandboxLimits),
    owner: () => (worker.status().leaseHeld ? worker.status().workerId : null),
    newSandboxId: () => newId('s', clock.nowMs()),
    onChange: (listener) => config.onChange(() => listener()),
  });
  const endReconciling = reconcileSandboxes(db, driver, onError, pauseKeepOf(config));
  return {
    status: () => worker.status(),
    async stop() {
      await Promise.all([schedules.stop(), campaigns.stop(), deliveries.stop()]);
      await worker.stop();
      await endPool();
      await endExpiring();
      await endTelling();
      await endReconciling();
    },
  };
}
