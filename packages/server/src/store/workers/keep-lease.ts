import { Worker } from 'node:worker_threads';
import type { ClientConfig } from 'pg';
import { systemClock } from '../../domain/clock.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { clientConfig } from '../connect.ts';
import type { Database } from '../database.ts';
import { endWorker } from './end-worker.ts';
import { defaultLeaseTerms, leaseLeftMs, type LeaseTerms } from './lease.ts';
import { registerWorker } from './register-worker.ts';

export interface LeaseThreadData {
  readonly config: ClientConfig;
  readonly workerId: string;
  readonly terms: LeaseTerms;
  /** One number, shared: monotonic time at which the last successful renewal was sent. */
  readonly renewedMs: SharedArrayBuffer;
}

/** A worker's lease while it is kept. */
export interface Lease {
  readonly workerId: string;
  /** Aborted with `OWNERSHIP_LOST` before the lease can run out: whoever acts for this worker must listen to it. */
  readonly signal: AbortSignal;
  /**
   * For the moment just before a side effect: also right when the event loop was held up and the signal is late.
   * @throws BerthError `OWNERSHIP_LOST`
   */
  assertHeld(): void;
  /** Ends the lease at once, so that others need not wait for it to run out. */
  close(): Promise<void>;
}

/**
 * Registers a worker and keeps its lease from a thread and a connection of its own. A lease that was lost stays
 * lost: the worker must start anew under another id.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function keepLease(
  db: Database,
  worker: { readonly id: string; readonly address: string | null },
  terms: LeaseTerms = defaultLeaseTerms,
): Promise<Lease> {
  const lost = new AbortController();
  const renewedMs = new SharedArrayBuffer(8);
  const renewed = new Float64Array(renewedMs);
  // The system's clock and not the injected one: the thread has it too.
  renewed[0] = systemClock.monotonicMs();
  await registerWorker(db, { ...worker, ttlMs: terms.ttlMs });
  const data: LeaseThreadData = {
    config: clientConfig(db.directAddress),
    workerId: worker.id,
    terms,
    renewedMs,
  };
  const thread = new Worker(new URL('./lease-thread.ts', import.meta.url), { workerData: data });
  thread.unref();

  const leftMs = (): number => leaseLeftMs(terms, renewed[0]!, systemClock.monotonicMs());
  const lose = (): void => {
    if (lost.signal.aborted) return;
    lost.abort(new BerthError('OWNERSHIP_LOST', "This worker's lease could not be renewed in time."));
  };
  let timer: NodeJS.Timeout | null = null;
  const watch = (): void => {
    const restMs = leftMs();
    if (restMs <= 0) lose();
    else {
      timer = setTimeout(watch, restMs);
      timer.unref();
    }
  };
  watch();
  // The thread ends when the database says that the lease has run out.
  thread.once('exit', lose);
  // A thread that failed renews nothing more.
  thread.once('error', lose);

  return {
    workerId: worker.id,
    signal: lost.signal,
    assertHeld() {
      if (leftMs() <= 0) lose();
      lost.signal.throwIfAborted();
    },
    async close() {
      if (timer !== null) clearTimeout(timer);
      lose();
      await thread.terminate();
      await endWorker(db, worker.id).catch(() => undefined);
    },
  };
}
