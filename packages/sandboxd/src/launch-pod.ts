import { createPublicKey } from 'node:crypto';
import type { NetworkGate } from './gate-spec.ts';
import { guardScript } from './guard-script.ts';
import { nodeFlags } from './launch.ts';

/**
 * How the two containers of a pod are started. They share one volume: sandboxd makes the runner's socket in it, `work`
 * mounts it read-only. sandboxd mounts no workspace. Paths are those seen in the container in question.
 */
export interface SandboxdPodLaunch {
  readonly node: string;
  /** `sandboxd.mjs`. */
  readonly bundle: string;
  readonly sandboxId: string;
  /** Where it listens for the worker. An address in brackets or not; `0.0.0.0` or `::` for all. */
  readonly listen: { readonly host: string; readonly port: number };
  /** `ChannelAuthority.publicKeyPem` of the installation. */
  readonly channelPublicKeyPem: string;
  /** This pod's UID, or the name of the variable or file in which the downward API puts it. */
  readonly podUid: { readonly value: string } | { readonly env: string } | { readonly file: string };
  /** Unix socket for the runner, in the shared volume. */
  readonly runnerSocket: string;
  /** Directory for output that does not fit into memory; up to 64 MiB; not shared. */
  readonly spoolDirectory: string;
  /** The epoch of the owner that makes the pod: a lower one is refused from the start, also after a restart of sandboxd. */
  readonly epoch: number;
  /**
   * Refuse connections from inside the pod before TLS. False where the worker comes in by a port-forward: those arrive
   * from loopback.
   */
  readonly dropLocal: boolean;
  /** What must not be reachable from the pod. Absent: nothing is tried. */
  readonly gate?: NetworkGate;
  /** It ends itself after this long without a worker. */
  readonly idleMinutes?: number;
}

/** What the container `sandboxd` runs. Its environment needs PATH, and the variable of `podUid.env`. */
export function sandboxdPodArgv(launch: SandboxdPodLaunch): string[] {
  const host = launch.listen.host.includes(':')
    ? `[${launch.listen.host.replaceAll(/[[\]]/g, '')}]`
    : launch.listen.host;
  return [
    launch.node,
    ...nodeFlags,
    launch.bundle,
    '--sandbox',
    launch.sandboxId,
    '--listen',
    `${host}:${launch.listen.port}`,
    '--channel-key',
    channelKeyArgument(launch.channelPublicKeyPem),
    ...podUidArguments(launch.podUid),
    '--runner-socket',
    launch.runnerSocket,
    '--spool',
    launch.spoolDirectory,
    '--epoch',
    String(launch.epoch),
    '--drop-local',
    launch.dropLocal ? 'yes' : 'no',
    ...(launch.gate === undefined ? [] : ['--gate', JSON.stringify(launch.gate)]),
    ...(launch.idleMinutes === undefined ? [] : ['--idle-minutes', String(launch.idleMinutes)]),
  ];
}

/** The public key as one argument: its PEM in base64. @throws Error when it is no public key */
function channelKeyArgument(pem: string): string {
  if (pem.includes('PRIVATE')) throw new Error('a pod gets the public channel key only');
  const normal = createPublicKey(pem).export({ type: 'spki', format: 'pem' });
  return Buffer.from(normal).toString('base64');
}

function podUidArguments(uid: SandboxdPodLaunch['podUid']): string[] {
  if ('value' in uid) return ['--pod-uid', uid.value];
  return 'env' in uid ? ['--pod-uid-env', uid.env] : ['--pod-uid-file', uid.file];
}

export interface RunnerPodLaunch {
  readonly node: string;
  /** `runner.mjs`. */
  readonly bundle: string;
  readonly sandboxId: string;
  /** sandboxd's runner socket in the shared volume. */
  readonly socket: string;
  /** Port of the egress door on 127.0.0.1; 0 takes a free one; absent: no door. */
  readonly egressPort?: number;
  readonly workspace?: string;
  /** What counts as disk use; defaults to the workspace. */
  readonly diskRoots?: readonly string[];
  /**
   * The shell that becomes pid 1: the image's `/bin/sh` (dash, bash or busybox), or one from the tools directory for an
   * image without, such as `['/berth/bin/busybox', 'sh']`.
   */
  readonly shell?: readonly string[];
  readonly limits: {
    /** RLIMIT_NPROC: the kernel counts per uid over the whole node, so the uid should be this sandbox's own. */
    readonly processes: number;
    /** RLIMIT_FSIZE, in bytes. */
    readonly fileBytes: number;
    /** RLIMIT_NOFILE. */
    readonly openFiles: number;
    /**
     * The memory limit of the container, in bytes. Commands are ended a little below it: over it the kernel ends all of the
     * container.
     */
    readonly memoryBytes?: number;
  };
}

/** Processes that are ours, not the commands': pid 1, its waiting child, Node with its threads. */
const ownProcesses = 32;

/** What the container `work` runs: pid 1 that reaps, holds the limits and keeps the runner up. */
export function runnerPodArgv(launch: RunnerPodLaunch): string[] {
  const { limits } = launch;
  return [
    ...(launch.shell ?? ['/bin/sh']),
    '-c',
    guardScript,
    'berth-guard',
    String(Math.floor(limits.processes) + ownProcesses),
    String(Math.floor(limits.fileBytes)),
    String(Math.floor(limits.openFiles)),
    `${launch.socket}.generation`,
    launch.node,
    ...nodeFlags,
    launch.bundle,
    '--sandbox',
    launch.sandboxId,
    '--socket',
    launch.socket,
    ...(launch.egressPort === undefined ? [] : ['--egress-port', String(launch.egressPort)]),
    ...(launch.workspace === undefined ? [] : ['--workspace', launch.workspace]),
    ...(launch.diskRoots === undefined ? [] : ['--disk-roots', launch.diskRoots.join(':')]),
    ...(limits.memoryBytes === undefined ? [] : ['--memory-limit', String(Math.floor(limits.memoryBytes))]),
  ];
}
