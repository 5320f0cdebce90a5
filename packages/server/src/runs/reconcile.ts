import { asBerthError, type BerthError } from '../domain/errors/index.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import type { RunState } from '../domain/run-state.ts';
import { isOutcome } from '../domain/status.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import { readRun } from '../store/runs/read-run.ts';
import { runsOfSandboxes } from '../store/runs/runs-of-sandboxes.ts';
import type { RunRecord } from '../store/runs/run-record.ts';
import { keeperOf } from '../sandboxes/pool/index.ts';
import { listWorkers } from '../store/workers/list-workers.ts';
import { readState } from './own-run.ts';

/** A sandbox this young may be one that is being filled and is not in its run's log yet. */
const graceMs = 120_000;
const periodMs = 60_000;

/** How long the sandboxes of a paused run are kept, in milliseconds. */
export type PauseKeep = (state: RunState) => Promise<number>;
const keptWhilePaused: PauseKeep = () => Promise.resolve(Infinity);

/**
 * Removes sandboxes that no live run owns, at once and then every minute: those of runs that are over, those a crash left
 * behind before they were recorded, those of runs that are paused for long, and idle ones of workers that are dead.
 * @returns ends the watch
 */
export function reconcileSandboxes(
  db: Database,
  driver: SandboxDriver,
  onError: (error: BerthError) => void,
  pauseKeepMs: PauseKeep = keptWhilePaused,
): () => Promise<void> {
  const ended = new AbortController();
  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await reconcileOnce(db, driver, pauseKeepMs).catch((error: unknown) => onError(asBerthError(error)));
      await db.clock.sleep(periodMs, ended.signal).catch(() => undefined);
    }
  };
  const watching = watch();
  return async () => {
    ended.abort();
    await watching;
  };
}

/**
 * One round; returns the ids of what was removed. One that cannot be removed keeps no other; it is tried again in the next
 * round.
 */
export async function reconcileOnce(
  db: Database,
  driver: SandboxDriver,
  pauseKeepMs: PauseKeep = keptWhilePaused,
): Promise<string[]> {
  const removed: string[] = [];
  const failures: unknown[] = [];
  const listed = await driver.list();
  // Later than the list, so that whoever made one of it is in here, if he lives.
  const keepers = await livingKeepers(db, listed);
  const given = await runsOfSandboxes(
    db,
    listed.filter((one) => isLeft(one, keepers)).map(({ id }) => id),
  );
  for (const sandbox of listed) {
    const keeper = keeperOf(sandbox.runId);
    if (keeper !== null && keepers.has(keeper)) continue;
    const runId = keeper === null ? sandbox.runId : given.get(sandbox.id);
    if (runId !== undefined && (await isOwned(db, { ...sandbox, runId }, pauseKeepMs))) continue;
    try {
      await driver.destroy(sandbox.id);
      removed.push(sandbox.id);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return removed;
}

/**
 * Whether its keeper is dead, and it may still be some run's: a driver that cannot change what a pod is labelled with tells
 * of the pool for ever, and only the worker that gave it away knows better. One that nobody recorded has no way back.
 */
function isLeft(sandbox: { readonly runId: string }, keepers: ReadonlySet<string>): boolean {
  const keeper = keeperOf(sandbox.runId);
  return keeper !== null && !keepers.has(keeper);
}

/** The workers that live, where an idle sandbox of a warm pool is told of. Of the others nobody can claim one any more. */
async function livingKeepers(
  db: Database,
  listed: ReadonlyArray<{ readonly runId: string }>,
): Promise<ReadonlySet<string>> {
  if (!listed.some(({ runId }) => keeperOf(runId) !== null)) return new Set();
  return new Set((await listWorkers(db)).filter(({ isAlive }) => isAlive).map(({ id }) => id));
}

/** Whether a run is paused, in nobody's hands, and for longer than its sandboxes are kept: it is a checkpoint from then on. */
async function restedEnough(
  db: Database,
  run: RunRecord,
  state: RunState,
  pauseKeepMs: PauseKeep,
): Promise<boolean> {
  if (state.paused === null || run.owner !== null || run.waiting) return false;
  return db.clock.nowMs() - Date.parse(state.paused.at) > (await pauseKeepMs(state));
}

async function isOwned(
  db: Database,
  sandbox: { id: string; runId: string; createdMs: number },
  pauseKeepMs: PauseKeep,
): Promise<boolean> {
  const run = await readRun(db, sandbox.runId).catch((error: unknown) => {
    if (asBerthError(error).code === 'NOT_FOUND') return null;
    throw error;
  });
  const isYoung = db.clock.nowMs() - sandbox.createdMs < graceMs;
  if (run === null) return isYoung;
  if (isOutcome(run.status.state)) return false;
  const state = await readState(db, sandbox.runId);
  if (await restedEnough(db, run, state, pauseKeepMs)) return false;
  const { sandboxes } = state;
  if (isYoung || Object.values(sandboxes).some((ref) => ref?.id === sandbox.id)) return true;
  return isBeingMade(db, run, sandbox.createdMs);
}

/**
 * Whether the run's present owner made the sandbox: it is recorded only when it is filled and set up, which can take
 * much longer than the grace, and what its owner fails to fill, its owner removes.
 */
async function isBeingMade(db: Database, run: RunRecord, createdMs: number): Promise<boolean> {
  const { owner } = run;
  if (owner === null) return false;
  const owned = await readEvents(db, run.id, { types: ['run.owned'] });
  const last = owned.findLast((entry) => entry.type === 'run.owned' && entry.data.epoch === owner.epoch);
  return last !== undefined && createdMs >= Date.parse(last.at);
}
