import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxLimits } from '../../domain/ports/sandbox.ts';

type Controller = 'memory' | 'cpu' | 'pids';
const controllers: readonly Controller[] = ['memory', 'cpu', 'pids'];

/** Where this machine lets us make control groups, by what they hold. Empty: nowhere. */
export interface CgroupLayout {
  readonly version: 1 | 2 | null;
  /** Directory under which each sandbox gets its own; one for all on version 2. */
  readonly parents: ReadonlyMap<Controller, string>;
}

/** The control groups of one sandbox. */
export interface CgroupPlan {
  /** Files to write a process id into, to put the process under the limits. */
  readonly joinFiles: readonly string[];
  readonly directories: readonly string[];
  /** Holds `oom_kill N`. */
  readonly oomCounterFile: string | null;
}

/** CPU time is dealt out in slices of this length; the kernel's own default. */
const cpuPeriodUs = 100_000;

/** Finds out by trying: a mounted hierarchy that cannot be written to holds nothing. */
export function findCgroups(mounts: string = readFileSync('/proc/self/mounts', 'utf8')): CgroupLayout {
  const v1 = new Map<Controller, string>();
  let unified: string | null = null;
  for (const line of mounts.split('\n')) {
    const [, mountPoint = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup2') unified = mountPoint;
    if (type !== 'cgroup') continue;
    for (const controller of controllers)
      if (options.split(',').includes(controller)) v1.set(controller, mountPoint);
  }
  const parents = new Map<Controller, string>();
  for (const [controller, mountPoint] of v1) {
    const parent = join(mountPoint, 'berth');
    if (usable(parent, controller)) parents.set(controller, parent);
  }
  if (parents.size > 0) return { version: 1, parents };
  if (unified !== null) {
    const parent = join(unified, 'berth');
    for (const controller of controllers) {
      // A container's own root may hold processes, which forbids this (EBUSY): then the limits are held otherwise.
      if (attempt(() => writeFileSync(join(unified, 'cgroup.subtree_control'), `+${controller}`)) !== null)
        continue;
      if (attempt(() => mkdirSync(parent, { recursive: true })) !== null) continue;
      if (attempt(() => writeFileSync(join(parent, 'cgroup.subtree_control'), `+${controller}`)) !== null)
        continue;
      if (usable(parent, controller)) parents.set(controller, parent);
    }
  }
  return { version: parents.size > 0 ? 2 : null, parents };
}

/** Makes the sandbox's control groups and sets their limits. @throws the file system's error */
export function createCgroups(layout: CgroupLayout, id: string, limits: SandboxLimits): CgroupPlan {
  const directories = new Set<string>();
  for (const [controller, parent] of layout.parents) {
    const directory = join(parent, id);
    mkdirSync(directory, { recursive: true });
    directories.add(directory);
    const set = (file: string, value: number | string) => writeFileSync(join(directory, file), String(value));
    for (const [file, value, optional] of settings(layout.version ?? 1, controller, limits)) {
      const error = attempt(() => set(file, value));
      if (error !== null && !optional) throw error;
    }
  }
  const memory = layout.parents.get('memory');
  return {
    directories: [...directories],
    joinFiles: [...directories].map((directory) => join(directory, 'cgroup.procs')),
    oomCounterFile:
      memory === undefined
        ? null
        : join(memory, id, layout.version === 2 ? 'memory.events' : 'memory.oom_control'),
  };
}

type Setting = readonly [file: string, value: number | string, optional: boolean];

function settings(version: 1 | 2, controller: Controller, limits: SandboxLimits): readonly Setting[] {
  const quota = Math.max(1000, Math.round(limits.cpus * cpuPeriodUs));
  switch (controller) {
    case 'memory':
      return version === 2
        ? [
            ['memory.max', limits.memoryBytes, false],
            // Swap would let a sandbox take more than it was given; not every kernel counts it.
            ['memory.swap.max', 0, true],
          ]
        : [
            ['memory.limit_in_bytes', limits.memoryBytes, false],
            ['memory.memsw.limit_in_bytes', limits.memoryBytes, true],
          ];
    case 'cpu':
      return version === 2
        ? [['cpu.max', `${quota} ${cpuPeriodUs}`, false]]
        : [
            ['cpu.cfs_period_us', cpuPeriodUs, false],
            ['cpu.cfs_quota_us', quota, false],
          ];
    case 'pids':
      return [['pids.max', limits.processes, false]];
    default:
      return controller satisfies never;
  }
}

/** Every process still in the sandbox's control groups. */
export function processesIn(directories: readonly string[]): number[] {
  const pids = new Set<number>();
  for (const directory of directories) {
    try {
      for (const pid of readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n'))
        if (pid) pids.add(Number(pid));
    } catch {
      // Gone already.
    }
  }
  return [...pids];
}

/** Removes empty control groups; answers whether all are gone. */
export function removeCgroups(directories: readonly string[]): boolean {
  return directories.every((directory) => {
    const error = attempt(() => rmdirSync(directory));
    return error === null || ('code' in error && error.code === 'ENOENT');
  });
}

/** Current use by the kernel's own count, or null where it is not held. */
export function cgroupUsage(
  layout: CgroupLayout,
  id: string,
): { readonly memoryBytes: number | null; readonly processes: number | null } {
  const read = (controller: Controller, file: string): number | null => {
    const parent = layout.parents.get(controller);
    if (parent === undefined) return null;
    try {
      return Number(readFileSync(join(parent, id, file), 'utf8'));
    } catch {
      return null;
    }
  };
  return {
    memoryBytes: read('memory', layout.version === 2 ? 'memory.current' : 'memory.usage_in_bytes'),
    processes: read('pids', 'pids.current'),
  };
}

function usable(parent: string, controller: Controller): boolean {
  const file = {
    memory: ['memory.max', 'memory.limit_in_bytes'],
    cpu: ['cpu.max', 'cpu.cfs_quota_us'],
    pids: ['pids.max'],
  };
  const probe = join(parent, `probe-${process.pid}`);
  const error = attempt(() => {
    mkdirSync(probe, { recursive: true });
    const there = readdirSync(probe);
    if (!file[controller].some((name) => there.includes(name))) throw new Error('not delegated');
  });
  attempt(() => rmdirSync(probe));
  return error === null;
}

function attempt(work: () => void): Error | null {
  try {
    work();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
