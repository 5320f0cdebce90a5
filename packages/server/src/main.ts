import { resolve } from 'node:path';
import { systemClock } from './domain/clock.ts';
import type { BerthError } from './domain/errors/index.ts';
import type { RunState } from './domain/run-state.ts';
import type { Forge } from './domain/ports/forge.ts';
import type { ControlPlane } from './domain/ports/control-plane.ts';
import type { Clock } from './domain/ports/clock.ts';
import type { SandboxDriver, SandboxLimits } from './domain/ports/sandbox.ts';
import { createApi } from './api/create-api.ts';
import { openAudit } from './audit/open-audit.ts';
import { listenApi } from './api/listen-api.ts';
import { socketPathOf } from './api/socket-path.ts';
import { LocalForge } from './forges/local/local-forge.ts';
import { knownSecrets, modelsFor } from './models-for.ts';
import { createControlPlane } from './runs/control-plane.ts';
import { inspectInstallation } from './runs/doctor.ts';
import { diffOf } from './runs/equip/proposals.ts';
import { runRepository } from './runs/equip/repository.ts';
import { equipRun } from './runs/equip/index.ts';
import { liveHub } from './runs/live-hub.ts';
import { reconcileSandboxes } from './runs/reconcile.ts';
import { startWorker } from './runs/worker.ts';
import { chooseDriver } from './sandboxes/choose-driver.ts';
import { defaultSandboxLimits } from './sandboxes/default-limits.ts';
import { createRedactor } from './secrets/redactor.ts';
import { sql } from 'kysely';
import { type Database, openDatabase } from './store/database.ts';
import { checkedRepository } from './runs/checked-repository.ts';

export interface StartServerOptions {
  /** `$BERTH_HOME`: database, blobs, mirrors, forge, sockets. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `api` answers; `worker` moves runs. */
  readonly parts: readonly ('api' | 'worker')[];
  /** Told in a sentence what takes a while. */
  readonly onProgress: (sentence: string) => void;
  /** Parent of the database directories of root's homes; tests have their own. */
  readonly databaseRoot?: string;
  /** Runs at once; two per core are plenty where checks compile. */
  readonly maxRuns?: number;
  /** Instead of the strongest driver that works here. */
  readonly driver?: SandboxDriver;
  /** What every sandbox may use, where it is not the default. */
  readonly sandboxLimits?: Partial<SandboxLimits>;
  /** Instead of the system's. */
  readonly clock?: Clock;
  /** Called after entries of a run became durable; for measurements and tests. */
  readonly onAppended?: (state: RunState, types: readonly string[]) => void;
}

export interface RunningServer {
  /** Where the API listens; empty when this process only works. */
  readonly socketPath: string;
  readonly controlPlane: ControlPlane;
  /** Claims nothing new, hands its runs back, leaves running commands to their sandboxes. */
  stop(): Promise<void>;
}

/** Puts the rooms together and starts them. The one place where implementations meet. */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const home = resolve(options.home);
  const { env, onProgress } = options;
  const stopping = new AbortController();
  const clock = options.clock ?? systemClock;
  const db = await openDatabase({
    home,
    databaseUrl: env['DATABASE_URL'],
    directUrl: env['DATABASE_DIRECT_URL'],
    clock,
    signal: stopping.signal,
    onProgress,
    ...(options.databaseRoot === undefined ? {} : { rootDirectory: options.databaseRoot }),
  });
  const undo: (() => Promise<void>)[] = [() => db.close()];
  try {
    const secrets = knownSecrets(env);
    const redactor = createRedactor(secrets);
    const redact = (value: unknown): unknown => redactor.value(value);
    const onError = (error: BerthError): void => onProgress(`${error.code}: ${error.message}`);
    const audit = await openAudit(db, { home, redact, onError });
    undo.push(() => audit.stop());
    const hub = liveHub();
    const forgeOf = async (projectId: string, mirror: string | null): Promise<Forge> =>
      new LocalForge({ home, projectId, mirror, clock, signal: stopping.signal });
    const driver = options.driver ?? chooseDriver({ home, clock });
    const controlPlane = createControlPlane({
      db,
      hub,
      redact,
      checkedRepository: (repository) => checkedRepository(repository, stopping.signal),
      forgeOf: (projectId) => forgeOf(projectId, null),
      diffOf: (state) =>
        diffOf(
          state,
          runRepository(home, state.created?.repository ?? '', stopping.signal, () => state.plan !== null),
          db.blobs,
          stopping.signal,
        ),
      doctor: () => inspectInstallation({ db, driver, env, home, signal: stopping.signal }),
    });
    // First, so that of two servers that start at once only one works.
    let socketPath = '';
    if (options.parts.includes('api')) {
      const app = createApi(controlPlane, { ready: () => ready(db), audit });
      socketPath = await listenApi(app, { socketPath: socketPathOf(home) });
      undo.push(() => app.close());
    }
    if (options.parts.includes('worker')) {
      // Looks at the host, and asks its tools for their registries, before the first run needs to know.
      driver.probe(stopping.signal).catch(() => undefined);
      const equip = equipRun({
        home,
        db,
        driver,
        sandboxLimits: { ...defaultSandboxLimits(), ...options.sandboxLimits },
        knownSecrets: secrets.map((secret) => secret.value),
        audit: audit.sink,
        modelsFor: (runOptions) => modelsFor(env, runOptions, clock, redactor),
        forgeOf,
      });
      const max = options.maxRuns ?? 8;
      const worker = startWorker({
        db,
        hub,
        home,
        redact,
        equip,
        caps: { total: max, perProject: max },
        onError,
        ...(options.onAppended === undefined ? {} : { onAppended: options.onAppended }),
      });
      const endReconciling = reconcileSandboxes(db, driver, onError);
      undo.push(endReconciling, () => worker.stop());
    }
    return { socketPath, controlPlane, stop: () => stop(undo, stopping) };
  } catch (error) {
    await stop(undo, stopping);
    throw error;
  }
}

/** Throws while the database does not answer. */
async function ready(db: Database): Promise<void> {
  await sql`select 1`.execute(db.sql);
}

/** Last started, first stopped; the signal last, so that hand-overs can still be written. */
async function stop(undo: (() => Promise<void>)[], stopping: AbortController): Promise<void> {
  for (const act of undo.splice(0).toReversed()) await act().catch(() => undefined);
  stopping.abort();
}
