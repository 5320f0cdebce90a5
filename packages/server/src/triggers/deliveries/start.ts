import { createHash } from 'node:crypto';
import { PgBoss, type JobWithMetadata } from 'pg-boss';
import type { Config } from '../../domain/config/index.ts';
import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import {
  deliveriesBell,
  forgetDeliveries,
  markQueued,
  waitingDeliveries,
} from '../../store/deliveries/deliveries.ts';
import { acknowledgeDue, type AcknowledgeParts } from '../forge/acknowledge.ts';
import type { ForgeTriggerParts } from '../forge/process.ts';
import { bossOptions } from '../job-queue.ts';
import { processDelivery } from './process.ts';

const queue = 'deliveries';
const deadQueue = 'deliveries-dead';
/** A ring of the bell can be lost: somebody looks all the same. */
const lookMs = 10_000;
const cleanUpMs = 600_000;
const retryStartMs = 15_000;
const mostAtOnce = 200;

export interface DeliveriesParts extends ForgeTriggerParts, Pick<AcknowledgeParts, 'publicUrl'> {
  readonly onError: (error: BerthError) => void;
  /** Between the tries of a delivery; doubled each time up to ten minutes. About an hour in all. */
  readonly retry?: { readonly limit: number; readonly delayS: number };
}

interface DeliveryJob {
  readonly id: string;
  readonly round: number;
}

/**
 * Works deliveries off: what was stored becomes a job of pg-boss, which tries it again with growing pauses, also when the
 * process dies in it; what it gives up is settled as dead. Begins once the configuration has something that deliveries
 * come by; without, there is no queue and no connection. Never throws; what fails is told and tried again.
 */
export function startDeliveries(parts: DeliveriesParts): { stop(): Promise<void> } {
  const { config } = parts;
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  const begin = (): void => {
    if (running !== null || stopping.signal.aborted || !takesDeliveries(config.current().config)) return;
    running = Promise.all([keepWorking(parts, stopping.signal), keepTelling(parts, stopping.signal)]).then(
      () => undefined,
    );
  };
  const endFollowing = config.onChange(begin);
  begin();
  return {
    async stop() {
      endFollowing();
      stopping.abort(new Error('deliveries stop'));
      await running;
    },
  };
}

/** Whether anything can come in. */
export function takesDeliveries({ forges, triggers }: Config): boolean {
  return triggers.length > 0 || forges.some(({ webhookSecret }) => webhookSecret !== undefined);
}

async function keepWorking(parts: DeliveriesParts, signal: AbortSignal): Promise<void> {
  const { db, onError, retry = { limit: 8, delayS: 5 } } = parts;
  while (!signal.aborted) {
    const boss = new PgBoss({ ...bossOptions(db), schedule: false });
    // Its pool connects again by itself.
    boss.on('error', () => undefined);
    try {
      await boss.start();
      const terms = {
        retryLimit: retry.limit,
        retryDelay: retry.delayS,
        retryBackoff: true,
        retryDelayMax: 600,
        expireInSeconds: 300,
        retentionSeconds: 30 * 86_400,
        deleteAfterSeconds: 86_400,
      };
      await boss.createQueue(deadQueue, { ...terms, retryLimit: 100 });
      await boss.createQueue(queue, { ...terms, deadLetter: deadQueue });
      const worker = await boss.work(
        queue,
        { includeMetadata: true, pollingIntervalSeconds: 2, localConcurrency: 3 },
        async ([job]: JobWithMetadata<DeliveryJob>[]) => {
          if (job === undefined) return;
          await processDelivery(parts, job.data, job.retryCount >= job.retryLimit).catch((error: unknown) => {
            onError(asBerthError(error));
            // Its message stays in the queue's tables: only the code, nothing that came from outside.
            throw new Error(asBerthError(error).code);
          });
        },
      );
      // Jobs whose process died again and again: nobody was there to settle them.
      await boss.work(
        deadQueue,
        { includeMetadata: true, pollingIntervalSeconds: 5 },
        async ([job]: JobWithMetadata<DeliveryJob>[]) => {
          if (job !== undefined) await processDelivery(parts, job.data, true);
        },
      );
      await keepEnqueueing(parts, boss, worker, signal);
    } catch (error) {
      if (!signal.aborted) {
        onError(
          new BerthError('DELIVERIES_UNAVAILABLE', undefined, {
            cause: error,
            details: { said: error instanceof Error ? error.message : String(error) },
          }),
        );
        await db.clock.sleep(retryStartMs, signal).catch(() => undefined);
      }
    } finally {
      await boss.stop({ graceful: true, timeout: 10_000 }).catch(() => undefined);
    }
  }
}

/** Makes jobs of what waits, whenever the bell rings and now and then. Cleans up meanwhile. */
async function keepEnqueueing(
  { db }: DeliveriesParts,
  boss: PgBoss,
  worker: string,
  signal: AbortSignal,
): Promise<void> {
  let cleanedMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const rung = waitForBell(db, signal);
    try {
      const waiting = await waitingDeliveries(db, mostAtOnce);
      if (waiting.length > 0) {
        await boss.insert(
          queue,
          waiting.map(({ id, round }) => ({ id: jobId(id, round), data: { id, round } })),
        );
        await markQueued(db, waiting);
        boss.notifyWorker(worker);
      }
      if (db.clock.monotonicMs() - cleanedMs > cleanUpMs) {
        cleanedMs = db.clock.monotonicMs();
        await forgetDeliveries(db);
      }
      if (waiting.length === mostAtOnce) continue;
      await Promise.race([rung.promise, db.clock.sleep(lookMs, signal).catch(() => undefined)]);
    } finally {
      rung.end();
    }
  }
}

/** The same for a round of a delivery, whoever makes it: a job is there once. */
function jobId(id: string, round: number): string {
  const hex = createHash('sha256').update(`${id}/${round}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function waitForBell(db: DeliveriesParts['db'], signal: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const endListening = db.bell.listen(deliveriesBell, () => resolve());
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    promise,
    end: () => {
      endListening();
      signal.removeEventListener('abort', onAbort);
    },
  };
}

const tellMs = 3_000;

async function keepTelling(parts: DeliveriesParts, signal: AbortSignal): Promise<void> {
  const { db, onError } = parts;
  while (!signal.aborted) {
    const told = await acknowledgeDue(parts).catch((error: unknown) => {
      const known = asBerthError(error);
      if (known.code !== 'DATABASE_UNAVAILABLE' && !signal.aborted) onError(known);
      return 0;
    });
    if (told === 0) await db.clock.sleep(tellMs, signal).catch(() => undefined);
  }
}
