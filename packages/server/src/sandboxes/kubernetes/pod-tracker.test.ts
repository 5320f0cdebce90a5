import { expect, test } from 'vitest';
import type { V1Pod, V1PodCondition } from './api-types.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { trackPod } from './pod-tracker.ts';
import type { PodNews, PodWatch } from './watch.ts';

const minuteMs = 60_000;
const full = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' };
const scheduled = { type: 'PodScheduled', status: 'True' };
const setUp = { type: 'PodReadyToStartContainers', status: 'True' };

/** A pod that is told of by hand, on a clock that is moved by hand. */
function tracked(options: { readonly startWithinMs: number; readonly scheduleWithinMs: number }) {
  const clock = new ManualClock();
  let tell: (news: PodNews) => void = () => undefined;
  const watch: PodWatch = {
    follow(_name, listener) {
      tell = listener;
      return () => undefined;
    },
    get: () => null,
    close: () => Promise.resolve(),
  };
  const tracker = trackPod({ watch, clock, name: 'sandbox-a', ...options });
  tracker.is('u');
  let said: unknown = null;
  tracker.trouble.catch((error: unknown) => (said = error));
  return {
    clock,
    see(...conditions: V1PodCondition[]) {
      const pod: V1Pod = { metadata: { uid: 'u' }, status: { phase: 'Pending', conditions } };
      tell({ kind: 'seen', pod });
    },
    trouble: () => said,
    close: () => tracker.close(),
  };
}

test('a pod that no node takes is given up after `scheduleWithin`, for want of room and nothing else', async () => {
  const pod = tracked({ startWithinMs: 10 * minuteMs, scheduleWithinMs: 8_000 });
  pod.see(full);
  await pod.clock.advance(7_500);
  expect(pod.trouble()).toBeNull();
  await pod.clock.advance(1_500);
  expect(pod.trouble()).toMatchObject({ code: 'SANDBOX_UNSCHEDULABLE', retryable: true });
  pod.close();
});

test('with an autoscaler it is left to the scheduler for longer, and its start counts from when a node took it', async () => {
  const pod = tracked({ startWithinMs: minuteMs * 2, scheduleWithinMs: 10 * minuteMs });
  pod.see(full);
  await pod.clock.advance(9 * minuteMs);
  expect(pod.trouble()).toBeNull();
  pod.see(scheduled, setUp);
  await pod.clock.advance(1.9 * minuteMs);
  expect(pod.trouble()).toBeNull();
  await pod.clock.advance(0.2 * minuteMs);
  expect(pod.trouble()).toMatchObject({ code: 'SANDBOX_START_LATE' });
  pod.close();
});

test('one that nobody schedules at all is no failure of its run', async () => {
  const pod = tracked({ startWithinMs: minuteMs, scheduleWithinMs: 8_000 });
  await pod.clock.advance(minuteMs - 1_000);
  expect(pod.trouble()).toBeNull();
  await pod.clock.advance(2_000);
  expect(pod.trouble()).toMatchObject({ code: 'SANDBOX_UNSCHEDULABLE' });
  pod.close();
});

test('a node that does not set it up is told of after a minute on that node', async () => {
  const pod = tracked({ startWithinMs: 10 * minuteMs, scheduleWithinMs: 10 * minuteMs });
  await pod.clock.advance(3 * minuteMs);
  pod.see(scheduled);
  await pod.clock.advance(0.9 * minuteMs);
  expect(pod.trouble()).toBeNull();
  await pod.clock.advance(0.2 * minuteMs);
  expect(pod.trouble()).toMatchObject({ code: 'SANDBOX_START_LATE' });
  pod.close();
});
