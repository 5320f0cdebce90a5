import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Container, V1Pod } from '../../sandboxes/kubernetes/api-types.ts';
import type { ContainerLog } from './api-server.ts';
import { wireTime } from './pod-store.ts';

/** How a container ended, as the status has it. */
export interface ContainerEnd {
  readonly exitCode: number;
  readonly reason: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly containerID: string;
}

/** One start of a container, as processes of this machine. */
export interface ContainerProcess {
  readonly id: string;
  readonly log: ContainerLog;
  /** How it ended, as the status has it; null while it runs. */
  readonly ended: ContainerEnd | null;
  onEnd(listener: () => void): void;
  /** SIGTERM, and SIGKILL after the grace. */
  stop(graceMs: number): Promise<void>;
  kill(reason?: string): void;
}

/** Starts a container's command with its user, environment and volumes; the image is this machine's own programs. */
export function startContainer(options: {
  readonly id: string;
  readonly pod: V1Pod;
  readonly container: V1Container;
  readonly directory: string;
  readonly prefix: readonly string[];
  readonly tools: string;
  readonly nodeAddress: string;
}): ContainerProcess {
  const { pod, container } = options;
  const uid = String(container.securityContext?.runAsUser ?? 1_000);
  // What an image brings.
  const env: Record<string, string> = {
    PATH: '/opt/image/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    FROM_IMAGE: 'yes',
  };
  for (const { name, value, valueFrom } of container.env ?? []) {
    env[name] = fieldOf(valueFrom?.fieldRef?.fieldPath, pod, options.nodeAddress) ?? expand(value ?? '', env);
  }
  const asUser = [
    'setpriv',
    '--reuid',
    uid,
    '--regid',
    uid,
    '--clear-groups',
    '--inh-caps=-all',
    '--no-new-privs',
  ];
  const apart = ['bwrap', '--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--as-pid-1'];
  const place = container.workingDir === undefined ? [] : ['--chdir', container.workingDir];
  const argv = [
    ...options.prefix,
    ...asUser,
    '--bounding-set=-all',
    '--',
    ...apart,
    '--die-with-parent',
    ...(isToolsImage(container) ? imageOf(options.tools) : system()),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    ...mounts(options),
    ...place,
    '--',
    ...(container.command ?? []).map((word) => expand(word, env)),
  ];
  const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Process(options.id, child);
}

class Process implements ContainerProcess {
  readonly id: string;
  readonly log: ContainerLog;
  ended: ContainerEnd | null = null;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  #killedBy: string | null = null;

  constructor(id: string, child: ChildProcess) {
    this.id = id;
    this.#child = child;
    let text = '';
    const listeners = new Set<() => void>();
    const tell = (): void => {
      for (const listener of listeners) listener();
    };
    const hear = (chunk: Buffer): void => {
      text += chunk.toString('utf8');
      if (process.env['POD_DEBUG'] !== undefined) process.stderr.write(chunk);
      tell();
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    const isOver = (): boolean => this.ended !== null;
    this.log = {
      text: () => text,
      get isOver() {
        return isOver();
      },
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    this.#gone = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        const exitCode = code ?? (signal === 'SIGTERM' ? 143 : 137);
        const reason = this.#killedBy ?? (exitCode === 0 ? 'Completed' : 'Error');
        this.ended = {
          exitCode,
          reason,
          startedAt: wireTime(),
          finishedAt: wireTime(),
          containerID: id,
        };
        tell();
        resolve();
      });
      child.once('error', () => resolve());
    });
  }

  onEnd(listener: () => void): void {
    void this.#gone.then(listener);
  }

  async stop(graceMs: number): Promise<void> {
    if (this.ended !== null) return;
    if (graceMs > 0) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
      await this.#gone;
      clearTimeout(timer);
      return;
    }
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  kill(reason?: string): void {
    this.#killedBy = reason ?? null;
    this.#child.kill('SIGKILL');
  }
}

/** What the downward API puts into a variable; null: it is not asked for. */
function fieldOf(path: string | undefined, pod: V1Pod, nodeAddress: string): string | null {
  if (path === undefined) return null;
  if (path === 'metadata.uid') return pod.metadata!.uid!;
  if (path === 'status.hostIP') return nodeAddress;
  throw new Error(`no recording covers the field ${path}`);
}

/** sandboxd runs in the image of the tools, which has nothing but them; what `work` runs in is this machine. */
function isToolsImage({ image }: V1Container): boolean {
  return image?.includes('berth-tools') === true;
}

function imageOf(root: string): string[] {
  return readdirSync(root).flatMap((name) => ['--ro-bind', join(root, name), `/${name}`]);
}

function system(): string[] {
  return ['usr', 'bin', 'lib', 'lib64', 'sbin', 'etc']
    .filter((name) => existsSync(`/${name}`))
    .flatMap((name) => ['--ro-bind', realpathSync(`/${name}`), `/${name}`]);
}

function mounts(options: {
  readonly pod: V1Pod;
  readonly container: V1Container;
  readonly directory: string;
  readonly tools: string;
}): string[] {
  return (options.container.volumeMounts ?? []).flatMap(({ name, mountPath, readOnly }) => {
    const volume = options.pod.spec!.volumes!.find((one) => one.name === name)!;
    const source = volume.image === undefined ? join(options.directory, name) : options.tools;
    return [readOnly === true ? '--ro-bind' : '--bind', source, mountPath];
  });
}

/** `$(NAME)` and `$$`, as Kubernetes reads them. */
function expand(word: string, env: Readonly<Record<string, string>>): string {
  return word.replaceAll(/\$\$|\$\(([^)]*)\)/g, (all, name: string | undefined) =>
    all === '$$' ? '$' : (env[name!] ?? all),
  );
}
