import type { V1ContainerState, V1ContainerStatus, V1Pod, V1PodCondition } from './api-types.ts';
import type { ErrorCode } from '../../domain/errors/index.ts';
import { containerNames } from './pod-spec.ts';

/** Why a pod does not start, or is over: a code of the registry and what is known about it. */
export interface PodTrouble {
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** One start of sandboxd: its keys and its journal live as long as this container. */
export interface SandboxdInstance {
  readonly containerId: string;
  readonly address: string;
  readonly restarts: number;
}

/** What a pod's object tells, read from its containers: its phase stays `Pending` while sandboxd already runs. */
export type PodState =
  /** On its way. `sandboxd` may run already. */
  | { readonly kind: 'starting'; readonly sandboxd: SandboxdInstance | null }
  /** Both run, or did and will again. */
  | {
      readonly kind: 'running';
      /** Null: it ended and is being started again. */
      readonly sandboxd: SandboxdInstance | null;
      readonly work: {
        readonly isUp: boolean;
        readonly restarts: number;
        /** The last end of `work` was a memory kill. */
        readonly wasOutOfMemory: boolean;
      };
      /** Containers run by the last word of a node that does not report any more. */
      readonly isNodeSilent: boolean;
    }
  /** It does not start, and will not unless something changes. */
  | { readonly kind: 'waiting'; readonly code: ErrorCode; readonly sentence: string }
  /** It is over. */
  | { readonly kind: 'ended'; readonly code: ErrorCode; readonly sentence: string };

/** No room, for now: a run that meets one of these goes back to the queue and keeps its place. */
export const capacityCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SANDBOX_CAPACITY',
  'SANDBOX_QUOTA',
  'SANDBOX_UNSCHEDULABLE',
]);

/** Reads a pod as the API server sent it. */
export function podState(pod: V1Pod): PodState {
  const over = endOf(pod);
  if (over !== null) return { kind: 'ended', ...over };
  const trouble = unschedulable(pod) ?? startTrouble(pod);
  if (trouble !== null) return { kind: 'waiting', ...trouble };
  const work = statusOf(pod, containerNames.work);
  const sandboxd = instanceOf(pod);
  if (work === null || !hasRun(work)) return { kind: 'starting', sandboxd };
  return {
    kind: 'running',
    sandboxd,
    work: {
      isUp: work.state?.running !== undefined,
      restarts: work.restartCount,
      wasOutOfMemory: lastEnd(work)?.reason === 'OOMKilled',
    },
    isNodeSilent:
      condition(pod, 'Ready')?.status === 'False' && work.ready && work.state?.running !== undefined,
  };
}

/** sandboxd as it runs now. */
export function instanceOf(pod: V1Pod): SandboxdInstance | null {
  const status = statusOf(pod, containerNames.sandboxd);
  const address = pod.status?.podIP;
  if (status?.state?.running === undefined || status.containerID === undefined || address === undefined)
    return null;
  return { containerId: status.containerID, address, restarts: status.restartCount };
}

/** Whether a pod's own node has set up its network, so that containers can start. */
export function isSetUp(pod: V1Pod): boolean {
  return condition(pod, 'PodReadyToStartContainers')?.status === 'True';
}

export function isScheduled(pod: V1Pod): boolean {
  return condition(pod, 'PodScheduled')?.status === 'True';
}

/** What the last DELETED of a watch means: an object without deletionTimestamp left the selector, and may still run. */
export function endOfDeleted(pod: V1Pod): PodTrouble {
  const over = endOf(pod);
  if (over !== null) return over;
  return {
    code: 'SANDBOX_DELETED',
    sentence: 'The labels of the pod of the sandbox were changed; it is not used any more.',
  };
}

function endOf(pod: V1Pod): PodTrouble | null {
  const { phase, reason, message } = pod.status ?? {};
  if (reason === 'DeadlineExceeded')
    return { code: 'SANDBOX_DEADLINE', sentence: 'The sandbox was ended by its deadline.' };
  // The node ran out of what the scheduler believed it had.
  if (
    phase === 'Failed' &&
    reason !== undefined &&
    /^(OutOf|UnexpectedAdmissionError$|NodeAffinity$)/.test(reason)
  )
    return {
      code: 'SANDBOX_UNSCHEDULABLE',
      sentence: `The node did not take the sandbox: ${said(message ?? reason)}`,
    };
  if (reason === 'NodeLost' || phase === 'Unknown')
    return { code: 'SANDBOX_NODE_LOST', sentence: 'The node of the sandbox does not report any more.' };
  if (reason === 'Evicted')
    return {
      code: 'SANDBOX_EVICTED',
      sentence: `The node ended the sandbox: ${said(message ?? 'it was evicted')}`,
    };
  const disrupted = disruptionOf(pod);
  if (disrupted !== null) return disrupted;
  if (reason === 'Terminated' || reason === 'NodeShutdown' || reason === 'Preempting')
    return { code: 'SANDBOX_EVICTED', sentence: `The node ended the sandbox: ${said(message ?? reason)}` };
  // Somebody's delete ends containers too, and an eviction is known above by its reason or its condition.
  if (pod.metadata?.deletionTimestamp !== undefined)
    return { code: 'SANDBOX_DELETED', sentence: 'The pod of the sandbox was deleted.' };
  // Containers of a pod with `restartPolicy: Always` are started again: one whose containers are all over was ended by
  // its node. An eviction that they answer with exit code 0 leaves no other trace.
  if (phase === 'Succeeded' || phase === 'Failed')
    return { code: 'SANDBOX_EVICTED', sentence: 'The node ended the sandbox without giving a reason.' };
  return null;
}

/** Who asked for the pod's end, where the control plane says so. */
function disruptionOf(pod: V1Pod): PodTrouble | null {
  const target = condition(pod, 'DisruptionTarget');
  if (target?.status !== 'True') return null;
  switch (target.reason ?? '') {
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
      return {
        code: 'SANDBOX_NODE_LOST',
        sentence: `The node of the sandbox is gone: ${said(target.message)}`,
      };
    case 'PreemptionByScheduler':
      return { code: 'SANDBOX_EVICTED', sentence: `The sandbox had to make room: ${said(target.message)}` };
    default:
      return {
        code: 'SANDBOX_EVICTED',
        sentence: `The sandbox was evicted: ${said(target.message ?? target.reason)}`,
      };
  }
}

function unschedulable(pod: V1Pod): PodTrouble | null {
  const scheduled = condition(pod, 'PodScheduled');
  if (scheduled?.status !== 'False') return null;
  if (scheduled.reason === 'SchedulingGated')
    return { code: 'SANDBOX_UNSCHEDULABLE', sentence: 'Something in the cluster holds the sandbox back.' };
  return { code: 'SANDBOX_UNSCHEDULABLE', sentence: `No node takes the sandbox: ${said(scheduled.message)}` };
}

/** What keeps a container from running, worst first: an init container's trouble keeps all others waiting. */
function startTrouble(pod: V1Pod): PodTrouble | null {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const status of all) {
    const trouble = troubleOf(status);
    if (trouble !== null) return trouble;
  }
  return null;
}

function troubleOf(status: V1ContainerStatus): PodTrouble | null {
  const { name } = status;
  const waiting = status.state?.waiting;
  switch (waiting?.reason ?? '') {
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'ErrImageNeverPull':
    case 'ImageInspectError':
    case 'RegistryUnavailable':
    case 'SignatureValidationFailed':
      // The message names the image: an image volume that cannot be had is told as the trouble of its container.
      return {
        code: 'SANDBOX_IMAGE',
        sentence: `An image of the sandbox cannot be had: ${said(waiting?.message)}`,
      };
    case 'InvalidImageName':
      return {
        code: 'SANDBOX_IMAGE_NAME',
        sentence: `The name of an image of the sandbox cannot be read: ${said(waiting?.message)}`,
      };
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
    case 'RunContainerError':
    case 'PreStartHookError':
    case 'PostStartHookError':
      return notStarted(name, waiting?.message);
    case 'CrashLoopBackOff':
      return crashing(status);
    default:
      break;
  }
  const ended = status.state?.terminated;
  if (ended === undefined) return null;
  if (ended.reason === 'StartError' || ended.reason === 'ContainerCannotRun')
    return notStarted(name, ended.message);
  // An ordinary init container ends once, with 0; the two others are started again.
  const isInit = name !== containerNames.sandboxd && name !== containerNames.work;
  if (isInit && ended.exitCode !== 0)
    return {
      code: 'SANDBOX_START_REFUSED',
      sentence: `The container ${name} ended with exit code ${ended.exitCode}.`,
    };
  return null;
}

function notStarted(name: string, message: string | undefined): PodTrouble {
  return {
    code: 'SANDBOX_START_REFUSED',
    sentence: `The node could not start the container ${name}: ${said(message)}`,
  };
}

function crashing(status: V1ContainerStatus): PodTrouble | null {
  const last = lastEnd(status);
  // Refused starts back off as crashes do.
  if (last?.reason === 'StartError' || last?.reason === 'ContainerCannotRun')
    return notStarted(status.name, last.message);
  if (last?.reason === 'OOMKilled' && status.name === containerNames.work) return null;
  return {
    code: 'SANDBOX_CRASHES',
    sentence: `The container ${status.name} ended ${status.restartCount + 1} times, last with exit code ${last?.exitCode ?? 'unknown'}.`,
  };
}

function lastEnd(status: V1ContainerStatus): V1ContainerState['terminated'] {
  return status.state?.terminated ?? status.lastState?.terminated;
}

function hasRun(status: V1ContainerStatus): boolean {
  return status.state?.running !== undefined || lastEnd(status) !== undefined;
}

function statusOf(pod: V1Pod, name: string): V1ContainerStatus | null {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses].find((status) => status.name === name) ?? null;
}

function condition(pod: V1Pod, type: string): V1PodCondition | undefined {
  return pod.status?.conditions?.find((one) => one.type === type);
}

/** Longest message of a cluster that a sentence quotes. */
const longestQuote = 300;

/** A message of the cluster as the end of a sentence: one line, bounded, without control characters. */
export function said(message: string | undefined): string {
  const text = (message ?? 'it does not say why').replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  const cut = text.length > longestQuote ? `${text.slice(0, longestQuote - 1)}…` : text;
  return /[.!?…]$/.test(cut) ? cut : `${cut}.`;
}
