import type { V1Pod } from './api-types.ts';
import { containerNames } from './pod-spec.ts';
import { instanceOf, podState, type PodTrouble, type SandboxdInstance } from './pod-state.ts';

/** Why a sandbox is lost, as its pod tells; null: the pod is well. */
export function lossIn(pod: V1Pod, instance: SandboxdInstance): PodTrouble | null {
  const state = podState(pod);
  if (state.kind === 'ended') return state;
  const now = 'sandboxd' in state ? state.sandboxd : null;
  if (now !== null && now.containerId !== instance.containerId)
    return { code: 'SANDBOX_RESTARTED', sentence: 'sandboxd was restarted by its node.' };
  if (state.kind === 'running' && state.isNodeSilent)
    return { code: 'SANDBOX_NODE_LOST', sentence: 'The node of the sandbox does not report any more.' };
  return null;
}

/** sandboxd of the pod that was made, while it can be spoken to. */
export function usable(pod: V1Pod, uid: string): SandboxdInstance | null {
  return pod.metadata?.uid === uid && podState(pod).kind !== 'ended' ? instanceOf(pod) : null;
}

/** `SandboxRef.address`: the pod's UID and the container of sandboxd. */
export function splitAddress(address: string): readonly [uid: string, containerId: string] {
  const at = address.indexOf('/');
  return at === -1 ? [address, ''] : [address.slice(0, at), address.slice(at + 1)];
}

/**
 * The images that the node runs in `work` and in sandboxd (which are the tools), as it resolved them: by digest, or by
 * the id of one that came from no registry. Null while one of them is not known.
 */
export function imagesOf(pod: V1Pod): string | null {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const ids = [containerNames.work, containerNames.sandboxd].map(
    (name) =>
      [...containerStatuses, ...initContainerStatuses].find((one) => one.name === name)?.imageID ?? '',
  );
  return ids.every((id) => /sha256:[0-9a-f]{64}$/.test(id)) ? ids.join(' ') : null;
}

export function isGoing(pod: Pick<V1Pod, 'metadata'>): boolean {
  return pod.metadata?.deletionTimestamp !== undefined;
}

/** A pod that is being deleted for this long has a node that does not answer. */
const stuckMs = 60_000;

/** Its `deletionTimestamp` is when it should have been gone. */
export function isStuck(pod: Pick<V1Pod, 'metadata'>, nowMs: number): boolean {
  const dueMs = timeOf(pod.metadata?.deletionTimestamp);
  return dueMs !== null && nowMs - dueMs > stuckMs;
}

/** Milliseconds of a time as it is on the wire. */
export function timeOf(value: string | undefined): number | null {
  const ms = value === undefined ? Number.NaN : Date.parse(value);
  return Number.isNaN(ms) ? null : ms;
}
