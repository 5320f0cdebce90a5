import { asBerthError, BerthError } from '../domain/errors/index.ts';
import type { RunState } from '../domain/run-state.ts';
import { steadyClock } from '../domain/clock.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { statusOf } from '../domain/run-status.ts';
import { noRedaction, type Redactor } from '../domain/ports/redaction.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import type { Database } from '../store/database.ts';
import { appendEvents } from '../store/events/append-events.ts';
import { prepareAppend, type Redact } from '../store/events/prepare-append.ts';
import { readEvents } from '../store/events/read-events.ts';
import { RecentEntries } from '../store/events/recent-entries.ts';
import { loadRunState } from '../store/runs/load-run-state.ts';
import { inboxOf } from '../store/runs/post-inbox.ts';
import { readInbox } from '../store/runs/read-inbox.ts';
import { readRun } from '../store/runs/read-run.ts';
import type { Ownership } from '../store/runs/claim-run.ts';
import { releaseRun } from '../store/runs/release-run.ts';
import type { RunProjection } from '../store/runs/projection.ts';
import type { OwnedWorkbench } from '../sandboxes/workbench.ts';
import { advance, type AdvanceParts, type AdvanceResult, cancelled } from './advance.ts';
import { hasNoRoom } from './full-disk.ts';
import { takeIn } from './inbox.ts';
import type { LiveHub } from './live-hub.ts';
import { liveRedaction } from './live-redaction.ts';
import { type OwnedLog, ownedLog } from './owned-log.ts';
import type { OwnedRuns } from './owned-runs.ts';
import { listed } from './rows.ts';
import { limitMinutes, limitWrapUp } from './time-limit.ts';
import { settleOpenCalls } from './settle-open.ts';
import { isStorageAway, whileAway } from './while-away.ts';

/** How long it may take until an owner has its workbench: the repository is fetched again, maybe. */
const inHandMs = 30_000;
/** A cancelled run is stopped within two seconds; half of that is for saving what the agent has done. */
const keepWorkMs = 1_000;
/** Saving a paused run may take so long; large trees take seconds. */
const pauseSaveMs = 20_000;

/** What a run needs that only its log can tell: made anew for each ownership. */
export interface RunEquipment {
  readonly workbench: OwnedWorkbench;
  readonly limits: RunContext['limits'];
  readonly advance: Omit<AdvanceParts, 'context' | 'outOfTime'>;
}

export interface OwnRunParts {
  readonly db: Database;
  readonly hub: LiveHub;
  readonly redact: Redact;
  /** As `redact`, for what comes in pieces: output of commands, words of a model. */
  readonly redaction?: Redactor;
  /** Aborted when this worker stops or loses its lease. */
  readonly signal: AbortSignal;
  /** Where the run can be found while it is owned, by those who want a stream of it. */
  readonly owned?: OwnedRuns;
  /** Called after entries became durable; for measurements and tests. */
  readonly onAppended?: (state: RunState, types: readonly string[]) => void;
  /** `$BERTH_HOME`. */
  readonly home?: string;
  /** Told of what a run waits for and only a person can mend. */
  readonly onError?: (error: BerthError) => void;
  /**
   * For the moment before an effect that no append precedes: throws when the lease ran out, also when the event loop
   * stood still and the signal is late. @throws BerthError `OWNERSHIP_LOST`
   */
  readonly assertHeld: () => void;
  equip(base: EquipBase): Promise<RunEquipment>;
}

/** What the equipment of a run is made from. */
export type EquipBase = Omit<RunContext, 'workbench' | 'limits'> &
  Pick<OwnRunParts, 'assertHeld'> & { readonly epoch: number };

/** What lists show of a run; stored with every append. */
export function projectRun(state: RunState): RunProjection {
  const { status, use, pullRequest } = { ...state, status: statusOf(state) };
  return { status, use, pullRequest, gate: state.gate, ...listed(state) };
}

/**
 * Owns one run from its claim until it ends, rests or is handed on: take over, fold, go on. Resolves in every
 * case; what went wrong is in the run's log.
 */
export async function ownRun(ownership: Ownership, parts: OwnRunParts): Promise<void> {
  const { db } = parts;
  const control = new AbortController();
  const signal = AbortSignal.any([parts.signal, control.signal]);
  // A run that the system's clock jumps under has neither used an hour nor gone back in time.
  const clock = steadyClock(db.clock);
  const log = await openLog(ownership, signal, clock, parts);
  const isWaiting = log.state().gate !== null;
  const wasInterrupted = !isWaiting && log.state().steps.some((step) => step.state === 'running');
  await log.append({ type: 'run.owned', data: { worker: ownership.worker, epoch: ownership.epoch } });
  if (wasInterrupted) {
    const interruptedCalls = log.state().open.map((call) => call.id);
    await log.append({ type: 'run.recovered', data: { interruptedCalls } });
  }
  const atWork: AtWork = { workbench: null, held: null };
  let walking = false;
  const stop = async (reason: BerthError): Promise<void> => {
    // A cancel that was waiting for an owner stops nothing: the walk begins with it, and tidies up.
    if (reason.code === 'RUN_CANCELLED' && !walking) return;
    if (reason.code === 'RUN_CANCELLED') await keepWork(log, atWork, db.clock);
    control.abort(reason);
  };
  const letGo = new AbortController();
  const leave = parts.owned?.enter({
    ...ownership,
    log,
    signal: AbortSignal.any([parts.signal, letGo.signal]),
    sandbox: () => workSandbox(log, atWork, clock, signal),
  });
  const inbox = inboxPump(ownership, log, { signal: control.signal, stop }, parts);
  try {
    await inbox.drain();
    // What an earlier owner had reserved when it died holds up every run of the same budget.
    await whileAway(db.clock, signal, () => settleOpenCalls(db, ownership));
    walking = true;
    await walk(ownership, { log, clock, signal, atWork }, parts);
  } catch (error) {
    await endWithError(log, error);
  } finally {
    leave?.();
    letGo.abort();
    await inbox.stop();
  }
  await whileAway(db.clock, parts.signal, () => settleOpenCalls(db, ownership)).catch(() => undefined);
  const { ended, paused, gate } = log.state();
  const requeue = ended === null && paused === null && gate === null;
  await whileAway(db.clock, parts.signal, () =>
    releaseRun(db, ownership, { requeue, ...(requeue && atWork.held !== null ? { held: atWork.held } : {}) }),
  );
}

/**
 * The run's work sandbox, where its log knows one; after a take-over it is a moment until the new owner has it in hand.
 * Null: there is none, or the run does not get to it.
 */
async function workSandbox(
  log: OwnedLog,
  atWork: AtWork,
  clock: Clock,
  signal: AbortSignal,
): Promise<Sandbox | null> {
  const startedMs = clock.monotonicMs();
  while (clock.monotonicMs() - startedMs < inHandMs) {
    if (log.state().sandboxes.work === null) return null;
    if (atWork.workbench !== null) return atWork.workbench.sandbox('work');
    await clock.sleep(50, signal);
  }
  return null;
}

/** The workbench of the run that is being walked now. */
interface AtWork {
  workbench: OwnedWorkbench | null;
  /** Why it goes back to the queue before it could go on. */
  held: { readonly code: string; readonly sentence: string } | null;
}

/** Saves the working tree before a run is cancelled, unless that takes too long: then its last checkpoint is it. */
async function keepWork(log: OwnedLog, { workbench }: AtWork, clock: Clock): Promise<void> {
  if (workbench === null || log.state().sandboxes.work === null) return;
  const enough = new AbortController();
  const saved = workbench.checkpoint();
  await Promise.race([saved, clock.sleep(keepWorkMs, enough.signal)]).catch(() => undefined);
  enough.abort();
  saved.catch(() => undefined);
}

/**
 * Paused means saved: the sandbox is kept for a while, and may be gone when the run goes on. Nothing acts any more, except
 * commands that were left running. What cannot be saved in time is as old as the last checkpoint.
 */
async function saveAtRest(workbench: OwnedWorkbench, clock: Clock, worker: AbortSignal): Promise<void> {
  const enough = new AbortController();
  const signal = AbortSignal.any([worker, enough.signal]);
  const late = clock.sleep(pauseSaveMs, signal).catch(() => undefined);
  const saved = workbench.saveAtRest(signal).catch(() => undefined);
  await Promise.race([saved, late]);
  enough.abort();
}

/** A run that cannot even be walked says why, instead of being tried for ever. */
async function endWithError(log: OwnedLog, error: unknown): Promise<void> {
  const { code, message, next } = asBerthError(error);
  if (code === 'OWNERSHIP_LOST' || isStorageAway(code)) throw error;
  const { ended, cancelRequestedBy: by } = log.state();
  if (ended !== null) return;
  if (by !== null) {
    await log.append(cancelled(by));
    return;
  }
  await log.append({ type: 'run.ended', data: { outcome: 'failed', code, sentence: message, next } });
}

/** The whole way; and where the time is up before its end, the short one: keeping the work. */
async function walk(ownership: Ownership, owned: Owned, parts: OwnRunParts): Promise<void> {
  const { log, clock } = owned;
  const result = await walkUntil(ownership, owned, parts, (stop) => limitMinutes(log, clock, stop));
  if (result !== 'out-of-time') return;
  await walkUntil(ownership, owned, parts, (stop) => limitWrapUp(clock, stop), true);
}

/** A run in this worker's hands. */
interface Owned {
  readonly log: OwnedLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly atWork: AtWork;
}

/** Advances a run until its end, or until a clock of its own or the worker says stop. */
async function walkUntil(
  ownership: Ownership,
  { log, clock, signal: owned, atWork }: Owned,
  parts: OwnRunParts,
  watch: (stop: (reason: BerthError) => void) => () => void,
  outOfTime = false,
): Promise<AdvanceResult['kind']> {
  const { ended, paused, gate } = log.state();
  if (ended !== null || paused !== null || gate !== null) return 'ended';
  const { db } = parts;
  const time = new AbortController();
  const signal = AbortSignal.any([owned, time.signal]);
  const base = {
    runId: ownership.runId,
    clock,
    signal,
    events: log,
    log,
    blobs: db.blobs,
    ...(parts.redaction === undefined ? {} : { redaction: parts.redaction }),
  };
  const equipBase: EquipBase = { ...base, epoch: ownership.epoch, assertHeld: parts.assertHeld };
  const equipment = await parts.equip(equipBase).catch(async (error: unknown) => {
    if (!signal.aborted) throw error;
    // Paused, stopped or cancelled while the repository was fetched: no failure. Sandboxes go with the reconciler.
    const by = log.state().cancelRequestedBy;
    if (by !== null) await log.append(cancelled(by));
    return null;
  });
  if (equipment === null) return time.signal.aborted ? 'out-of-time' : 'ended';
  const context: RunContext = { ...base, workbench: equipment.workbench, limits: equipment.limits };
  atWork.workbench = equipment.workbench;
  const stopClock = watch((reason) => time.abort(reason));
  try {
    const result = await advance({
      ...equipment.advance,
      context,
      outOfTime,
      onHeldUp: (error) => parts.onError?.(error),
      isDiskFull: async () => parts.home !== undefined && hasNoRoom(parts.home),
    });
    if (result.kind !== 'ended') {
      if (log.state().paused !== null) await saveAtRest(equipment.workbench, clock, parts.signal);
      await equipment.workbench.detach();
    }
    if (result.kind === 'held') atWork.held = { code: result.code, sentence: result.sentence };
    return result.kind;
  } finally {
    atWork.workbench = null;
    equipment.workbench.close();
    stopClock();
  }
}

async function openLog(
  ownership: Ownership,
  signal: AbortSignal,
  clock: Clock,
  parts: OwnRunParts,
): Promise<OwnedLog> {
  const { db, redact } = parts;
  const { runId, worker, epoch } = ownership;
  let head = (await readRun(db, runId)).head;
  const recent = new RecentEntries();
  const redactFrame = liveRedaction(redact, parts.redaction ?? noRedaction);
  const initial = await loadRunState(db, runId);
  return ownedLog({
    initial,
    prepare: (events) =>
      whileAway(db.clock, signal, () =>
        prepareAppend({ runId, from: head, events, atMs: clock.nowMs(), redact, blobs: db.blobs }),
      ),
    async commit(prepared, after, inboxIds) {
      const projection = projectRun(after);
      await whileAway(db.clock, signal, () =>
        appendEvents(db, { prepared, worker, epoch, projection, inboxIds }),
      );
      head = prepared.to;
      recent.add(prepared);
      parts.onAppended?.(
        after,
        prepared.stored.map((entry) => entry.type),
      );
    },
    read: async ({ afterSeq, types }) =>
      recent.read(afterSeq, types) ??
      whileAway(db.clock, signal, () =>
        readEvents(db, runId, { afterSeq, ...(types === null ? {} : { types }) }),
      ),
    live(frame) {
      const shown = redactFrame(frame);
      if (shown !== null) parts.hub.publish(runId, shown);
    },
  });
}

/** Listens for what others ask of the run, for as long as it is owned. */
function inboxPump(
  ownership: Ownership,
  log: OwnedLog,
  run: { readonly signal: AbortSignal; stop(reason: BerthError): Promise<void> },
  parts: OwnRunParts,
): { drain(): Promise<void>; stop(): Promise<void> } {
  const { db } = parts;
  const signal = AbortSignal.any([parts.signal, run.signal]);
  let draining: Promise<void> = Promise.resolve();
  const drainOnce = async (): Promise<void> => {
    const entries = await whileAway(db.clock, signal, () => readInbox(db, ownership.runId));
    let state = log.state();
    for (const entry of entries) {
      const { events, stop } = takeIn(entry, state);
      await log.takeIn([entry.id], events);
      state = log.state();
      if (stop !== null) await run.stop(stop);
    }
  };
  const drain = (): Promise<void> => {
    draining = draining.then(drainOnce);
    return draining;
  };
  const wake = (): void => {
    drain().catch((error: unknown) => {
      const known = asBerthError(error);
      if (isStorageAway(known.code)) draining = Promise.resolve();
      else void run.stop(known);
    });
  };
  // The net beneath the bell is the worker's: one look for all of its runs.
  const stopListening = db.bell.listen(inboxOf(ownership.runId), wake);
  const stop = async (): Promise<void> => {
    stopListening();
    // What is being taken in decides whether the run rests or goes on.
    await draining.catch(() => undefined);
  };
  return { drain, stop };
}

/** The state of a run that somebody else owns, or nobody. */
export async function readState(db: Database, runId: string): Promise<RunState> {
  const state = await loadRunState(db, runId);
  if (state.seq === 0) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
  return state;
}
