import { PgBoss } from 'pg-boss';
import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../../store/database.ts';
import { aborted, bossOptions } from '../job-queue.ts';
import { lookAtSchedules, type LookParts } from './look.ts';

const tickQueue = 'schedules-tick';
const retryMs = 15_000;

export interface RunningSchedules {
  stop(): Promise<void>;
}

/**
 * Looks at the schedules each minute: pg-boss's cron ticks once a minute over all replicas, whoever takes the tick
 * looks. Begins with the first schedule that the configuration has; without any there is no queue and no connection.
 * Never throws; what fails is told and tried again.
 */
export function startSchedules(parts: LookParts): RunningSchedules {
  const { db, config, onError } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  let looking: Promise<void> = Promise.resolve();
  const look = (): Promise<void> => {
    looking = looking
      .then(async () => (signal.aborted ? undefined : lookAtSchedules(parts)))
      .catch((error: unknown) => onError(asBerthError(error)));
    return looking;
  };
  let running: Promise<void> | null = null;
  const begin = (): void => {
    if (running !== null || signal.aborted || config.current().config.schedules.length === 0) return;
    running = keepTicking(db, look, onError, signal);
  };
  // What was changed is seen at once, so that a new schedule counts from now on and not from the next minute.
  const endFollowing = config.onChange(() => {
    begin();
    if (running !== null) void look();
  });
  begin();
  return {
    async stop() {
      endFollowing();
      stopping.abort(new Error('schedules stop'));
      await running;
      await looking;
    },
  };
}

async function keepTicking(
  db: Database,
  look: () => Promise<void>,
  onError: (error: BerthError) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const boss = new PgBoss(bossOptions(db));
    // Its pool connects again by itself; the next tick shows whether it did.
    boss.on('error', () => undefined);
    try {
      await boss.start();
      // No job is kept for later: a tick that nobody took is made up for by the next look.
      await boss.createQueue(tickQueue, {
        retryLimit: 0,
        expireInSeconds: 300,
        retentionSeconds: 300,
        deleteAfterSeconds: 3_600,
      });
      await boss.work(tickQueue, { pollingIntervalSeconds: 2 }, look);
      await boss.schedule(tickQueue, '* * * * *');
      await look();
      await aborted(signal);
    } catch (error) {
      onError(
        new BerthError('SCHEDULER_UNAVAILABLE', undefined, {
          cause: error,
          details: { said: error instanceof Error ? error.message : String(error) },
        }),
      );
      await db.clock.sleep(retryMs, signal).catch(() => undefined);
    } finally {
      await boss.stop({ graceful: true, timeout: 10_000 }).catch(() => undefined);
    }
  }
}
