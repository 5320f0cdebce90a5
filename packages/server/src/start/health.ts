import { monitorEventLoopDelay } from 'node:perf_hooks';
import { sql } from 'kysely';
import { asBerthError } from '../domain/errors/index.ts';
import { type Health, type HealthCheck, healthReport } from '../domain/ports/health.ts';
import type { WorkerStatus } from '../runs/worker.ts';
import type { Foundation } from './foundation.ts';

/** A database that has not answered by then cannot serve. */
const databaseTimeoutMs = 2_000;
/** A worker without a lease for so long, although the database answers, is stuck: it should be started anew. */
const leaselessMs = 120_000;
/** How long what the sandbox driver said of the host is believed. */
const driverTrustMs = 60_000;

export interface ProcessHealth extends Health {
  /** From now on not ready: the process is stopping. */
  stopping(): void;
  worker(status: () => WorkerStatus): void;
  /** Another thing that has to hold; asked at each look. */
  require(look: () => Promise<HealthCheck>): void;
  close(): void;
}

/**
 * What this process says of itself. A worker's lease and sandbox driver decide readiness where the process only works;
 * where it answers requests too, they are said and no more: the API goes on without them.
 */
export function processHealth(foundation: Foundation, parts: readonly string[]): ProcessHealth {
  const { db, driver, clock, signal } = foundation;
  const delay = monitorEventLoopDelay({ resolution: 100 });
  delay.enable();
  const isWorkerAlone = !parts.includes('api');
  const others: (() => Promise<HealthCheck>)[] = [];
  let isStopping = false;
  let workerStatus: (() => WorkerStatus) | null = null;
  let leasedMs = clock.monotonicMs();
  let driverSaid: { readonly atMs: number; readonly check: Promise<HealthCheck> } | null = null;

  const loop = (): HealthCheck => {
    const worstMs = Math.round(delay.max / 1e6);
    delay.reset();
    return check('event-loop', true, `It answers; the longest wait since the last look was ${worstMs} ms.`);
  };
  const lease = (status: WorkerStatus, required: boolean): HealthCheck => {
    if (status.leaseHeld) leasedMs = clock.monotonicMs();
    return status.leaseHeld
      ? check('lease', true, `The worker holds its lease and owns ${status.owned} runs.`, required)
      : check('lease', false, 'The worker holds no lease now: it claims nothing.', required);
  };
  const database = async (): Promise<HealthCheck> => {
    const late = AbortSignal.timeout(databaseTimeoutMs);
    const answer = sql<{ n: number }>`select count(*)::int as n from schema_migrations`.execute(db.sql);
    answer.catch(() => undefined);
    try {
      const { rows } = await Promise.race([answer, rejection(late)]);
      return check('database', true, `It answers, with ${rows[0]?.n ?? 0} migrations.`);
    } catch (error) {
      const code = late.aborted ? `no answer within ${databaseTimeoutMs} ms` : asBerthError(error).code;
      return check('database', false, `The database does not serve: ${code}.`);
    }
  };
  const configuration = (): HealthCheck => {
    const { file, problems, revision } = foundation.config.status();
    const [first] = problems;
    return check(
      'configuration',
      first === undefined,
      first === undefined
        ? `Revision ${revision} counts.`
        : `${file.path} is not taken, line ${first.line}: ${first.sentence}; revision ${revision} goes on counting.`,
      // What was valid before goes on counting.
      false,
    );
  };
  const driverCheck = (): Promise<HealthCheck> => {
    const now = clock.monotonicMs();
    if (driverSaid === null || now - driverSaid.atMs > driverTrustMs) {
      const asked = driver.probe(signal).then(
        ({ ok }) =>
          check(
            'sandbox-driver',
            ok,
            ok
              ? `The driver ${driver.name} works.`
              : `The driver ${driver.name} does not work here: berth doctor.`,
            isWorkerAlone,
          ),
        () => check('sandbox-driver', false, `The driver ${driver.name} could not be asked.`, isWorkerAlone),
      );
      driverSaid = { atMs: now, check: asked };
    }
    return driverSaid.check;
  };

  return {
    live() {
      const checks = [loop()];
      if (workerStatus !== null && !isStopping) {
        const said = lease(workerStatus(), false);
        const isStuck = clock.monotonicMs() - leasedMs > leaselessMs;
        checks.push({ ...said, required: isStuck });
      }
      return healthReport(checks);
    },
    async ready() {
      const checks: HealthCheck[] = [
        isStopping
          ? check('stopping', false, 'This process is stopping.')
          : check('stopping', true, 'This process is not stopping.'),
        await database(),
      ];
      checks.push(configuration());
      if (workerStatus !== null) checks.push(lease(workerStatus(), isWorkerAlone), await driverCheck());
      const [problem] = driver.state().problems;
      if (problem !== undefined)
        checks.push(
          check('warm-pool', false, `${problem.profile}: ${problem.code}: ${problem.sentence}`, false),
        );
      for (const look of others) checks.push(await look());
      return healthReport(checks);
    },
    stopping() {
      isStopping = true;
    },
    worker(status) {
      workerStatus = status;
    },
    require(look) {
      others.push(look);
    },
    close: () => delay.disable(),
  };
}

function check(name: string, ok: boolean, sentence: string, required = true): HealthCheck {
  return { name, ok, sentence, required };
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('too late')), { once: true });
  });
}
