import type { SandboxLimits } from '../../domain/ports/sandbox.ts';
import { insideHome, insideId } from '../local/etc-files.ts';
import { insideSocketDirectory } from '../local/inside.ts';
import type { Bind } from './toolchains.ts';

/** Everything that decides how bubblewrap is started; made by the driver, turned into arguments here. */
export interface BubblewrapPlan {
  /** Links of the host's root that are made again: `/bin` → `usr/bin`. */
  readonly links: ReadonlyArray<{ readonly path: string; readonly target: string }>;
  /** Mounted read-only, in this order. */
  readonly readOnly: readonly Bind[];
  /** Directories of those that show empty. */
  readonly masked: readonly string[];
  /** Directories of the sandbox's own disk. */
  readonly disk: { readonly workspace: string; readonly home: string; readonly tmp: string };
  /** Holds the runner's socket. */
  readonly socketDirectory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: SandboxLimits;
}

/**
 * The arguments of bubblewrap up to the program; they travel through a descriptor (`--args`), since a command line
 * can be read by everybody on the machine and the environment may hold forwarded values.
 */
export function bubblewrapArgs(plan: BubblewrapPlan): string[] {
  const id = String(insideId);
  const args = ['--unshare-all', '--hostname', 'sandbox', '--uid', id, '--gid', id];
  args.push('--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv');
  for (const [name, value] of Object.entries(plan.env)) args.push('--setenv', name, value);
  for (const { path, target } of plan.links) args.push('--symlink', target, path);
  for (const { source, target } of plan.readOnly) args.push('--ro-bind', source, target);
  for (const path of plan.masked) args.push('--tmpfs', path, '--remount-ro', path);
  args.push('--proc', '/proc', '--dev', '/dev');
  // Memory-backed places count as memory; without a limit of their own they would hold half of the machine's.
  const sharedBytes = String(Math.floor(plan.limits.memoryBytes / 2));
  args.push('--perms', '1777', '--size', sharedBytes, '--tmpfs', '/dev/shm');
  args.push('--bind', plan.disk.workspace, '/workspace', '--bind', plan.disk.home, insideHome);
  args.push('--bind', plan.disk.tmp, '/tmp', '--dir', '/var', '--symlink', '../tmp', '/var/tmp');
  args.push('--dir', '/run', '--ro-bind', plan.socketDirectory, insideSocketDirectory);
  args.push('--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/workspace', '--seccomp', '3');
  return args;
}

/** Processes that are ours, not the commands': bubblewrap's two, the supervisor, Node with its threads. */
export const ownProcesses = 32;

/** What V8 reserves for code as writable memory before it runs a line: it aborts when it cannot. */
const reservedBytes = 2 ** 30;

/**
 * `prlimit` in front of the runner, inside the namespaces: limits that every command inherits and cannot raise.
 * @param hard The worker's own hard limits: they cannot be passed either.
 */
export function resourceLimitArgv(
  limits: SandboxLimits,
  hard: { readonly openFiles: number; readonly processes: number },
  memoryByKernel: boolean,
): string[] {
  const both = (value: number): string => `${Math.floor(value)}:${Math.floor(value)}`;
  return [
    'prlimit',
    `--nproc=${both(Math.min(limits.processes + ownProcesses, hard.processes))}`,
    `--nofile=${both(Math.min(limits.openFiles, hard.openFiles))}`,
    `--fsize=${both(limits.fileBytes)}`,
    '--core=0:0',
    // Without a control group sandboxd watches the sum, and this bounds what one process can take between two looks.
    // Address space itself stays free: Node, Go and Java reserve far more of it than they use.
    ...(memoryByKernel ? [] : [`--data=${both(limits.memoryBytes + reservedBytes)}`]),
    '--',
  ];
}

/** Reads the hard limits of this process. */
export function hardLimits(text: string): { readonly openFiles: number; readonly processes: number } {
  const read = (name: string): number => {
    const value = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(text)?.[1];
    return value === undefined || value === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(value);
  };
  return { openFiles: read('Max open files'), processes: read('Max processes') };
}
