import { resolve } from 'node:path';
import { systemClock } from '../domain/clock.ts';
import type { Audit } from '../audit/open-audit.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Forge } from '../domain/ports/forge.ts';
import { knownSecrets } from '../models-for.ts';
import type { OpenConfig } from '../config/open-config.ts';
import { type LiveHub, liveHub } from '../runs/live-hub.ts';
import { OwnedRuns } from '../runs/owned-runs.ts';
import { TerminalHost } from '../runs/terminals/host.ts';
import { chooseDriver } from '../sandboxes/choose-driver.ts';
import { WarmPool } from '../sandboxes/pool/index.ts';
import { authoritySeedOf } from './internal-part.ts';
import type { Redactor } from '../secrets/redactor.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { createLog, type Log, silentLog } from '../telemetry/log.ts';
import { databaseFailure } from './database-failure.ts';
import { openServerConfig } from './config.ts';
import { type Forges, openForges } from './forges.ts';
import { type LiveSecrets, liveSecrets } from './live-secrets.ts';
import type { StartServerOptions } from './options.ts';
import { openRecord } from './record.ts';

/** What every part of a server stands on. */
export interface Foundation {
  /** Absolute. */
  readonly home: string;
  readonly env: StartServerOptions['env'];
  readonly clock: Clock;
  readonly db: Database;
  /** Live frames of the runs that this process owns. */
  readonly hub: LiveHub;
  /** The runs that this process owns. */
  readonly owned: OwnedRuns;
  /** Shells in their sandboxes. */
  readonly terminalHost: TerminalHost;
  readonly secrets: LiveSecrets;
  readonly config: OpenConfig;
  readonly audit: Audit;
  readonly redactor: Redactor;
  /** All drivers as one; sandboxes are kept ready once a worker starts it. */
  readonly driver: WarmPool;
  /** Aborted last, when everything has stopped. */
  readonly signal: AbortSignal;
  readonly onProgress: (sentence: string) => void;
  readonly log: Log;
  readonly redact: (value: unknown) => unknown;
  readonly forgeOf: (projectId: string, mirror: string | null) => Promise<Forge>;
  readonly forges: Forges;
}

/** Opens the database (an embedded one where none is named) and makes what all parts share. */
export async function layFoundation(options: StartServerOptions, signal: AbortSignal): Promise<Foundation> {
  const home = resolve(options.home);
  const { env, onProgress } = options;
  const clock = options.clock ?? systemClock;
  let current: OpenConfig | null = null;
  const secrets = liveSecrets(knownSecrets(env), {
    env,
    clock,
    config: () => current?.current().config ?? null,
  });
  const { redactor } = secrets;
  const redact = (value: unknown): unknown => redactor.value(value);
  const log =
    options.log === undefined ? silentLog : createLog({ ...options.log, level: env['BERTH_LOG'], redact });
  const db = await openDatabase({
    home,
    databaseUrl: env['DATABASE_URL'],
    directUrl: env['DATABASE_DIRECT_URL'],
    clock,
    signal,
    onProgress,
    ...(options.databaseRoot === undefined ? {} : { rootDirectory: options.databaseRoot }),
  }).catch((error: unknown) => {
    throw databaseFailure(error, env['DATABASE_URL']);
  });
  const config = await openServerConfig({ db, home, env, signal, onProblem: onProgress }).catch(
    async (error: unknown) => {
      await db.close();
      throw error;
    },
  );
  current = config;
  await secrets.follow(config);
  const audit = await openRecord({
    db,
    home,
    readSecret: secrets.read,
    signal,
    redact,
    config,
    log,
    onProgress,
  }).catch(async (error: unknown) => {
    await config.close();
    await db.close();
    throw error;
  });
  const owned = new OwnedRuns();
  const forges = openForges({ home, db, clock, config, secrets, signal });
  return {
    home,
    env,
    clock,
    db,
    hub: liveHub(),
    owned,
    terminalHost: new TerminalHost({ owned, clock }),
    secrets,
    config,
    audit,
    redactor,
    driver: new WarmPool(
      options.driver ?? chooseDriver({ home, clock, env, authoritySeed: await authoritySeedOf(home, env) }),
      clock,
    ),
    signal,
    onProgress,
    log,
    redact,
    forgeOf: (projectId, mirror) => forges.of(projectId, mirror),
    forges,
  };
}
