import { describe, expect, test } from 'vitest';
import type { V1Pod } from './api-types.ts';
import { recordedPods, recordedScenarios } from '../../testing/kubernetes/recorded-pods.ts';
import { endOfDeleted, podState, said } from './pod-state.ts';

/** The states a recording goes through, without repetitions: kind, and code where there is one. */
function way(scenario: string): string[] {
  const states = recordedPods(scenario).map(({ type, pod }) => {
    if (type === 'DELETED') return `ended ${endOfDeleted(pod).code}`;
    const state = podState(pod);
    return 'code' in state ? `${state.kind} ${state.code}` : state.kind;
  });
  return states.filter((state, index) => state !== states[index - 1]);
}

const deleted = 'ended SANDBOX_DELETED';
const expected: Readonly<Record<string, readonly string[]>> = {
  'pod-happy': ['starting', 'running', deleted],
  'pod-unschedulable-cpu': ['starting', 'waiting SANDBOX_UNSCHEDULABLE', deleted],
  'pod-unschedulable-selector': ['starting', 'waiting SANDBOX_UNSCHEDULABLE', deleted],
  'pod-image-missing': ['starting', 'waiting SANDBOX_IMAGE', deleted],
  'pod-image-missing-sidecar': ['starting', 'waiting SANDBOX_IMAGE', deleted],
  'pod-image-volume-missing': ['starting', 'waiting SANDBOX_IMAGE', deleted],
  'pod-image-never': ['starting', 'waiting SANDBOX_IMAGE', deleted],
  'pod-image-name-invalid': ['starting', 'waiting SANDBOX_IMAGE_NAME', deleted],
  'pod-image-runs-as-root': ['starting', 'waiting SANDBOX_START_REFUSED', deleted],
  'pod-command-missing': ['starting', 'waiting SANDBOX_START_REFUSED', deleted],
  'pod-init-fails': ['starting', 'waiting SANDBOX_START_REFUSED', 'ended SANDBOX_EVICTED', deleted],
  'pod-oom-always': ['starting', 'running', deleted],
  'pod-oom-container-restart-policy': ['starting', 'running', deleted],
  'pod-oom-child': ['starting', 'running', deleted],
  'pod-evicted-ephemeral-storage': ['starting', 'running', 'ended SANDBOX_EVICTED'],
  'pod-evicted-emptydir-limit': ['starting', 'running', 'ended SANDBOX_EVICTED'],
  'pod-evicted-clean-exit': ['starting', 'running', 'ended SANDBOX_EVICTED', deleted],
  'pod-eviction-api': ['starting', 'running', 'ended SANDBOX_EVICTED'],
  'pod-deadline': ['starting', 'running', 'ended SANDBOX_DEADLINE'],
  'pod-deadline-pending': ['starting', 'waiting SANDBOX_IMAGE', 'ended SANDBOX_DEADLINE'],
  'pod-sidecar-crash-start': ['starting', 'waiting SANDBOX_CRASHES', deleted],
  'pod-sidecar-crash-later': ['starting', 'running', deleted],
  'pod-sidecar-not-ready': ['starting', deleted],
  // The status does not tell; the driver has a deadline of its own.
  'pod-runtimeclass-no-handler': ['starting', deleted],
  'pod-secret-volume-missing': ['starting', deleted],
  'pod-exit-restart-always': ['starting', 'running', 'waiting SANDBOX_CRASHES', deleted],
  // `restartPolicy: Never`, which sandboxes do not have: both containers are over before the phase says so.
  'pod-exit-0': ['starting', 'running', 'ended SANDBOX_EVICTED', deleted],
  'pod-exit-3': ['starting', 'running', 'ended SANDBOX_EVICTED', deleted],
  'pod-oom-never': ['starting', 'running', deleted],
  'pod-delete-ignores-term': ['starting', 'running', deleted],
  'pod-delete-force': ['starting', 'running', deleted, 'starting', 'running', deleted],
};

describe('the state of a pod', () => {
  test.each(recordedScenarios())('as recorded: %s', (scenario) => {
    expect(way(scenario)).toEqual(expected[scenario]);
  });

  test('says what sandboxd is as soon as it runs, while the phase is still Pending', () => {
    const early = recordedPods('pod-happy')
      .map(({ pod }) => ({ phase: pod.status?.phase, state: podState(pod) }))
      .find(({ state }) => state.kind === 'starting' && state.sandboxd !== null);
    expect(early).toMatchObject({
      phase: 'Pending',
      state: {
        sandboxd: { address: '10.244.0.26', restarts: 0, containerId: expect.stringMatching(/^containerd:/) },
      },
    });
  });

  test('knows a memory kill of work, before and after its restart, and that sandboxd lives on', () => {
    const states = recordedPods('pod-oom-always').map(({ pod }) => podState(pod));
    const killed = states.filter((state) => state.kind === 'running' && state.work.wasOutOfMemory);
    expect(killed).toMatchObject([
      { sandboxd: { restarts: 0 }, work: { isUp: false, restarts: 0 } },
      { sandboxd: { restarts: 0 }, work: { isUp: true, restarts: 1 } },
    ]);
  });

  test('shows a restarted sandboxd as another container', () => {
    const ids = recordedPods('pod-sidecar-crash-later').flatMap(({ pod }) => {
      const state = podState(pod);
      return 'sandboxd' in state && state.sandboxd !== null ? [state.sandboxd.containerId] : [];
    });
    expect(new Set(ids).size).toBe(2);
  });

  test('quotes why: the scheduler, the registry with the image, the kubelet', () => {
    const sentence = (scenario: string): string => {
      const found = recordedPods(scenario)
        .map(({ pod }) => podState(pod))
        .find((state) => 'sentence' in state);
      return found !== undefined && 'sentence' in found ? found.sentence : '';
    };
    expect(sentence('pod-unschedulable-cpu')).toContain('Insufficient cpu');
    expect(sentence('pod-image-volume-missing')).toContain('localhost/absent-tools:1');
    expect(sentence('pod-evicted-emptydir-limit')).toContain('EmptyDir volume "workspace" exceeds the limit');
    expect(sentence('pod-image-runs-as-root')).toContain('image will run as root');
  });

  const running = recordedPods('pod-happy').find(({ pod }) => podState(pod).kind === 'running')!.pod;
  const changed = (status: object, metadata: object = {}): V1Pod => ({
    ...running,
    metadata: { ...running.metadata, ...metadata },
    status: { ...running.status, ...status },
  });
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    message: 'because',
  });

  test.each([
    ['a node that was lost', changed({ reason: 'NodeLost' }), 'SANDBOX_NODE_LOST'],
    [
      'a node that does not report',
      changed(
        { conditions: [condition('DisruptionTarget', 'True', 'DeletionByTaintManager')] },
        { deletionTimestamp: '2026-11-21T18:00:00Z' },
      ),
      'SANDBOX_NODE_LOST',
    ],
    [
      'a node that was removed',
      changed({ phase: 'Failed', conditions: [condition('DisruptionTarget', 'True', 'DeletionByPodGC')] }),
      'SANDBOX_NODE_LOST',
    ],
    [
      'a pod of higher priority',
      changed({ conditions: [condition('DisruptionTarget', 'True', 'PreemptionByScheduler')] }),
      'SANDBOX_EVICTED',
    ],
    ['a node that is shut down', changed({ phase: 'Failed', reason: 'Terminated' }), 'SANDBOX_EVICTED'],
    [
      'a node that had no room after all',
      changed({ phase: 'Failed', reason: 'OutOfcpu' }),
      'SANDBOX_UNSCHEDULABLE',
    ],
  ])('as documented, not recorded: %s', (_name, pod, code) => {
    expect(podState(pod)).toMatchObject({ kind: 'ended', code });
  });

  test('notices that a node fell silent: its containers run by its last word, and the pod is not ready', () => {
    expect(podState(running)).toMatchObject({ kind: 'running', isNodeSilent: false });
    expect(podState(changed({ conditions: [condition('Ready', 'False', '')] }))).toMatchObject({
      isNodeSilent: true,
    });
  });

  test('takes a pod that left the selector for one that must not be used', () => {
    expect(endOfDeleted(running)).toMatchObject({
      code: 'SANDBOX_DELETED',
      sentence: expect.stringContaining('labels'),
    });
  });

  test('makes one line of whatever the cluster says', () => {
    expect(said('a\n\u001b[31mb\u202e  c')).toBe('a [31mb c.');
    expect(said('x'.repeat(1_000))).toHaveLength(300);
    expect(said(undefined)).toBe('it does not say why.');
  });
});
