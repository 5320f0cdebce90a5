import { statSync } from 'node:fs';
import type Docker from 'dockerode';
import { BerthError } from '../../domain/errors/index.ts';

/** An engine on this machine that speaks the Docker Engine API. */
export interface Engine {
  readonly docker: Docker;
  readonly socketPath: string;
  readonly kind: 'docker' | 'podman';
  readonly version: string;
  readonly isRootless: boolean;
  /** Maps users of containers to others of the machine for all of them (`userns-remap`). */
  readonly remapsUsers: boolean;
  readonly labelsProcesses: boolean;
  readonly storage: string;
  /** Which limits it can hold, by what it says itself. */
  readonly holds: {
    readonly memory: boolean;
    readonly swap: boolean;
    readonly cpu: boolean;
    readonly processes: boolean;
  };
}

/** Podman 4 has what is used here of the API; Docker 23 is the first whose own filter refuses AF_VSOCK. */
export const oldestVersion = { podman: 4, docker: 23 } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** What this driver reads of `/info`; both engines fill it. */
interface Info {
  readonly SecurityOptions?: readonly string[] | null;
  readonly Driver?: string;
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly PidsLimit?: boolean;
}

interface Version {
  readonly Version?: string;
  readonly Components?: ReadonlyArray<{ readonly Name: string; readonly Version: string }> | null;
}

/**
 * Where an engine may listen: the address that `DOCKER_HOST` or `CONTAINER_HOST` names, and nothing else then; or the
 * usual places, the rootless ones first for an ordinary user.
 * @throws BerthError `SANDBOX_UNAVAILABLE` for an engine of another machine
 */
export function engineSockets(env: Environment, uid: number = process.getuid?.() ?? 0): readonly string[] {
  for (const name of ['DOCKER_HOST', 'CONTAINER_HOST'] as const) {
    const address = env[name];
    if (address === undefined || address === '') continue;
    if (address.startsWith('unix://')) return [address.slice('unix://'.length)];
    throw new BerthError(
      'SANDBOX_UNAVAILABLE',
      `${name} names ${address}: a sandbox's socket cannot be shared with an engine of another machine.`,
    );
  }
  const runtime = env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`;
  const own = uid === 0 ? [] : [`${runtime}/podman/podman.sock`, `${runtime}/docker.sock`];
  return [...own, '/run/podman/podman.sock', '/var/run/docker.sock'];
}

/**
 * Connects to the first engine that answers.
 * @throws BerthError `SANDBOX_UNAVAILABLE` that names what was tried
 */
export async function findEngine(env: Environment, signal?: AbortSignal): Promise<Engine> {
  const tried: string[] = [];
  for (const socketPath of engineSockets(env)) {
    if (!isSocket(socketPath)) {
      tried.push(`${socketPath} is not there`);
      continue;
    }
    try {
      return await connectEngine(socketPath, signal);
    } catch (error) {
      signal?.throwIfAborted();
      tried.push(`${socketPath}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new BerthError('SANDBOX_UNAVAILABLE', `No container engine answers: ${tried.join('; ')}.`);
}

const connectMs = 10_000;

/** Loaded where it is needed: most workers have no engine, and it takes a tenth of a second. */
export async function engineClient(socketPath: string): Promise<Docker> {
  const { default: Client } = await import('dockerode');
  return new Client({ socketPath });
}

async function connectEngine(socketPath: string, signal?: AbortSignal): Promise<Engine> {
  const docker = await engineClient(socketPath);
  const soon = AbortSignal.any([AbortSignal.timeout(connectMs), ...(signal === undefined ? [] : [signal])]);
  const [version, info] = await orAbort(
    Promise.all([docker.version() as Promise<Version>, docker.info() as Promise<Info>]),
    soon,
  );
  const podman = version.Components?.find(({ Name }) => Name === 'Podman Engine');
  const options = info.SecurityOptions ?? [];
  const has = (name: string): boolean => options.some((one) => one.split(',').includes(`name=${name}`));
  return {
    docker,
    socketPath,
    kind: podman === undefined ? 'docker' : 'podman',
    version: podman?.Version ?? version.Version ?? 'unknown',
    isRootless: has('rootless'),
    remapsUsers: has('userns'),
    labelsProcesses: has('selinux'),
    storage: info.Driver ?? 'unknown',
    holds: {
      memory: info.MemoryLimit === true,
      swap: info.SwapLimit === true,
      cpu: info.CpuCfsQuota === true,
      processes: info.PidsLimit === true,
    },
  };
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}

/** Waits no longer than the signal allows; the request itself is left to its end. */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void =>
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** The engine's status of a failed request, or null when it was no answer of the engine. */
export function engineStatus(error: unknown): number | null {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : null;
}

/** What the engine said, without its client's prefix. */
export function engineSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim();
}
