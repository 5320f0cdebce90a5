import { type CurrentConfig, fixedConfig } from '../domain/config/index.ts';
import { asBerthError, BerthError } from '../domain/errors/index.ts';
import { newId } from '../domain/ids.ts';
import { admitRuns } from '../store/runs/admit-runs.ts';
import { waitingRuns } from '../store/runs/create-task.ts';
import type { Ownership } from '../store/runs/claim-run.ts';
import { listOwned } from '../store/runs/list-owned.ts';
import { inboxOf } from '../store/runs/post-inbox.ts';
import { takeOver } from '../store/runs/take-over.ts';
import { keepLease, type Lease } from '../store/workers/keep-lease.ts';
import { ownRun, type OwnRunParts } from './own-run.ts';
import { type Log, silentLog } from '../telemetry/log.ts';
import { endDeadWorkers, noteWorker } from './predecessors.ts';

/** The bell wakes a worker at once; this poll is the net beneath it, and finds runs of workers that died. */
const pollMs = 1_000;
/** How often a worker looks whether others of this machine were killed: their runs need not wait for the lease. */
const lookForDeadMs = 3_000;
/** How often those that wait are looked at, where nothing is admitted: a cap may have been changed. */
const relabelMs = 5_000;
/** A run whose ownership ended in an error that could not be recorded is left alone for so long. */
const failedRestMs = 5_000;

export interface WorkerParts extends Omit<OwnRunParts, 'signal' | 'assertHeld'> {
  /** Runs this worker carries at once: its own capacity. What all may run together is configured. */
  readonly maxRuns: number;
  /** Caps and budgets; each claim goes by what it says then. */
  readonly config?: CurrentConfig;
  /** `$BERTH_HOME`: workers leave a note there, see `predecessors`. */
  readonly home: string;
  /** What to do with an error that has no run to go to. */
  readonly onError: (error: BerthError) => void;
  /** Told the id of each lease before it is registered; answers where streams of this worker's runs are reached. */
  readonly announce?: (workerId: string) => string | null;
  readonly log?: Log;
}

/** What a worker says of itself now. */
export interface WorkerStatus {
  /** Null before the first lease and between two. */
  readonly workerId: string | null;
  readonly leaseHeld: boolean;
  /** How many runs it owns. */
  readonly owned: number;
}

export interface Worker {
  /** The runs it owns now. */
  owned(): readonly string[];
  status(): WorkerStatus;
  /** Claims nothing more, leaves running commands to their sandboxes and hands its runs back. */
  stop(): Promise<void>;
}

/** Claims runs and owns them, as many at once as the caps allow, until it is stopped. */
export function startWorker(parts: WorkerParts): Worker {
  const { db, config = fixedConfig(), log = silentLog } = parts;
  let held: Lease | null = null;
  let relabelledMs = -Infinity;
  const stopping = new AbortController();
  const owned = new Map<string, Promise<void>>();
  let wake: () => void = () => undefined;
  const stopListening = db.bell.listen(waitingRuns, () => wake());
  // A cap or budget that was changed counts at once.
  const stopFollowing = config.onChange(() => {
    relabelledMs = -Infinity;
    wake();
  });

  const take = (ownership: Ownership, lease: Lease, signal: AbortSignal): void => {
    const { runId } = ownership;
    const assertHeld = (): void => lease.assertHeld();
    const owning = ownRun(ownership, { ...parts, signal, assertHeld })
      .catch(async (error: unknown) => {
        const known = asBerthError(error);
        if (known.code === 'OWNERSHIP_LOST' || stopping.signal.aborted) return;
        parts.onError(known);
        // It is still ours and will be taken up again: not at once, or a log that cannot be read is read all day.
        await db.clock.sleep(failedRestMs, signal).catch(() => undefined);
      })
      .finally(() => {
        owned.delete(runId);
        wake();
      });
    owned.set(runId, owning);
  };

  const claim = async (lease: Lease, signal: AbortSignal): Promise<void> => {
    // Owned by the database and not by us: the answer to a claim was lost, or a run failed before it let go.
    for (const ownership of await listOwned(db, lease.workerId)) {
      if (!owned.has(ownership.runId)) take(ownership, lease, signal);
      else if (ownership.isAsked) db.bell.wakeHere(inboxOf(ownership.runId));
    }
    const room = parts.maxRuns - owned.size;
    const taken = room > 0 ? await takeOver(db, lease.workerId, room) : [];
    for (const ownership of taken) {
      log.warn('run taken over', { run: ownership.runId, worker: lease.workerId, epoch: ownership.epoch });
      take(ownership, lease, signal);
    }
    // Also without room: those that wait are told why, and one that was cancelled is ended.
    const relabel = db.clock.monotonicMs() - relabelledMs >= relabelMs;
    if (relabel) relabelledMs = db.clock.monotonicMs();
    const admitted = await admitRuns(db, {
      worker: lease.workerId,
      config: config.current().config,
      limit: Math.max(0, parts.maxRuns - owned.size),
      relabel,
    });
    for (const ownership of admitted) {
      log.info('run claimed', { run: ownership.runId, worker: lease.workerId, epoch: ownership.epoch });
      take(ownership, lease, signal);
    }
  };

  /** One lease, as long as it holds. */
  const serve = async (): Promise<void> => {
    const id = newId('w', db.clock.nowMs());
    await endDeadWorkers(db, parts.home);
    const lease = await keepLease(db, { id, address: parts.announce?.(id) ?? null });
    held = lease;
    log.info('worker ready', { worker: id });
    const removeNote = await noteWorker(parts.home, id);
    const signal = AbortSignal.any([stopping.signal, lease.signal]);
    let lookedMs = db.clock.monotonicMs();
    try {
      while (!signal.aborted) {
        if (db.clock.monotonicMs() - lookedMs >= lookForDeadMs) {
          lookedMs = db.clock.monotonicMs();
          await endDeadWorkers(db, parts.home).catch(() => undefined);
        }
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await claim(lease, signal).catch((error: unknown) => {
          const known = asBerthError(error);
          if (known.code !== 'DATABASE_UNAVAILABLE') parts.onError(known);
        });
        const pause = new AbortController();
        const end = (): void => pause.abort();
        signal.addEventListener('abort', end, { once: true });
        await Promise.race([woken, db.clock.sleep(pollMs, pause.signal).catch(() => undefined)]);
        signal.removeEventListener('abort', end);
        pause.abort();
      }
      await Promise.all(owned.values());
    } finally {
      held = null;
      if (!stopping.signal.aborted) log.error('lease lost', { worker: id });
      await lease.close();
      await removeNote();
    }
  };

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await serve().catch(async (error: unknown) => {
        const known = asBerthError(error);
        if (known.code !== 'DATABASE_UNAVAILABLE') parts.onError(known);
        await db.clock.sleep(pollMs, stopping.signal).catch(() => undefined);
      });
    }
  })();

  return {
    owned: () => [...owned.keys()],
    status: () => ({
      workerId: held?.workerId ?? null,
      leaseHeld: held !== null && !held.signal.aborted,
      owned: owned.size,
    }),
    async stop() {
      stopping.abort(new BerthError('WORKER_STOPPING'));
      wake();
      stopListening();
      stopFollowing();
      await running;
    },
  };
}
