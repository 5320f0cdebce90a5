import type { V1Pod } from './api-types.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import {
  capacityCodes,
  endOfDeleted,
  isScheduled,
  isSetUp,
  podState,
  type PodState,
  type PodTrouble,
  type SandboxdInstance,
} from './pod-state.ts';
import type { PodNews, PodWatch } from './watch.ts';

/** One pod from its creation to its end, as the cluster tells of it. */
export interface PodTracker {
  /** Says which pod it is: news of others with its name do not count. */
  is(uid: string): void;
  state(): PodState | null;
  /** sandboxd, once it runs. @throws the start trouble, as an error of the registry */
  sandboxd(signal: AbortSignal): Promise<SandboxdInstance>;
  /** Rejects when it is known that the pod will not start. Never resolves. */
  readonly trouble: Promise<never>;
  /** From now on only its end counts, and whether sandboxd is the same: a restart lost the journal. */
  settle(instance: SandboxdInstance): void;
  /** Resolves with why it is over, once it is. */
  readonly over: Promise<PodTrouble>;
  /** Waits for a state, at most so long; null: it did not come. */
  until(accept: (state: PodState) => boolean, withinMs: number): Promise<PodState | null>;
  close(): void;
}

/** A node that has not even made the pod's network by then never will: RuntimeClass, volume or network plugin. */
const setUpMs = 60_000;

export interface TrackerOptions {
  readonly watch: PodWatch;
  readonly clock: Clock;
  readonly name: string;
  /** How long all of the start may take, from when a node took it. */
  readonly startWithinMs: number;
  /** How long a pod that no node takes is kept before its run waits in Berth's own line. */
  readonly scheduleWithinMs: number;
}

export function trackPod(options: TrackerOptions): PodTracker {
  const { clock, watch, name, startWithinMs, scheduleWithinMs } = options;
  const trouble = Promise.withResolvers<never>();
  const over = Promise.withResolvers<PodTrouble>();
  trouble.promise.catch(() => undefined);
  const listeners = new Set<() => void>();
  const done = new AbortController();
  const startedMs = clock.monotonicMs();
  let uid: string | null = null;
  let last: V1Pod | null = null;
  let gone: PodTrouble | null = null;
  let settled: SandboxdInstance | null = null;
  let unscheduledSinceMs: number | null = null;
  let scheduledMs: number | null = null;

  const fail = (found: PodTrouble): void => {
    trouble.reject(new BerthError(found.code, found.sentence));
    over.resolve(found);
  };

  const look = (): void => {
    if (uid === null) return;
    if (gone !== null) return fail(gone);
    if (last === null) return;
    const state = podState(last);
    if (state.kind === 'ended') return fail(state);
    if (isScheduled(last)) scheduledMs ??= clock.monotonicMs();
    if (settled !== null) {
      const now = 'sandboxd' in state ? state.sandboxd : null;
      if (now !== null && now.containerId !== settled.containerId)
        over.resolve({ code: 'SANDBOX_RESTARTED', sentence: 'sandboxd was restarted by its node.' });
      return;
    }
    if (state.kind !== 'waiting') unscheduledSinceMs = null;
    else if (!capacityCodes.has(state.code)) fail(state);
    else unscheduledSinceMs ??= clock.monotonicMs();
  };

  /** What only time tells. */
  const lookAtTime = (): void => {
    if (settled !== null || gone !== null) return;
    const nowMs = clock.monotonicMs();
    if (last !== null && unscheduledSinceMs !== null && nowMs - unscheduledSinceMs > scheduleWithinMs) {
      const state = podState(last);
      if (state.kind === 'waiting') return fail(state);
    }
    if (scheduledMs === null) {
      // Nothing that its run could be blamed for: not even a scheduler has looked at it.
      if (nowMs - startedMs > Math.max(startWithinMs, scheduleWithinMs))
        fail({ code: 'SANDBOX_UNSCHEDULABLE', sentence: 'No scheduler gave the sandbox a node.' });
    } else if (nowMs - scheduledMs > startWithinMs) {
      fail({
        code: 'SANDBOX_START_LATE',
        sentence: `The sandbox did not start within ${Math.round(startWithinMs / 1_000)} s.`,
      });
    } else if (nowMs - scheduledMs > setUpMs && last !== null && !isSetUp(last)) {
      fail({
        code: 'SANDBOX_START_LATE',
        sentence:
          'The node has not set the pod up: its events tell whether RuntimeClass, volume or network is missing.',
      });
    }
  };

  const hear = (news: PodNews): void => {
    if (uid !== null && news.pod.metadata?.uid !== uid) return;
    if (news.kind === 'seen') last = news.pod;
    else gone = endOfDeleted(news.pod);
    look();
    for (const listener of listeners) listener();
  };
  const stop = watch.follow(name, hear);
  const isSettled = (): boolean => settled !== null;
  const watchTime = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(500, done.signal);
      if (isSettled()) return;
      lookAtTime();
    }
  };
  watchTime().catch(() => undefined);

  const until = async (accept: (state: PodState) => boolean, withinMs: number): Promise<PodState | null> => {
    const late = new AbortController();
    const timer = clock.sleep(withinMs, AbortSignal.any([late.signal, done.signal])).catch(() => undefined);
    let isLate = false;
    void timer.then(() => (isLate = true));
    try {
      for (;;) {
        const state = last === null ? null : podState(last);
        if (state !== null && accept(state)) return state;
        if (isLate || gone !== null) return null;
        const changed = Promise.withResolvers<void>();
        const listener = (): void => changed.resolve();
        listeners.add(listener);
        await Promise.race([changed.promise, timer]);
        listeners.delete(listener);
      }
    } finally {
      late.abort();
    }
  };

  return {
    is(known) {
      uid = known;
      // What was heard before may have been of a pod that had the name earlier.
      if (last !== null && last.metadata?.uid !== uid) last = null;
      gone = null;
      look();
    },
    state: () => (last === null ? null : podState(last)),
    async sandboxd(signal) {
      for (;;) {
        signal.throwIfAborted();
        const state = last === null || uid === null ? null : podState(last);
        if (state !== null && 'sandboxd' in state && state.sandboxd !== null) return state.sandboxd;
        const changed = Promise.withResolvers<void>();
        const listener = (): void => changed.resolve();
        listeners.add(listener);
        const stopped = (): void => changed.reject(signal.reason);
        signal.addEventListener('abort', stopped, { once: true });
        try {
          await Promise.race([changed.promise, trouble.promise]);
        } finally {
          listeners.delete(listener);
          signal.removeEventListener('abort', stopped);
        }
      }
    },
    trouble: trouble.promise,
    settle(instance) {
      settled = instance;
      look();
    },
    over: over.promise,
    until,
    close() {
      done.abort();
      stop();
    },
  };
}
