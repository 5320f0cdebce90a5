import type { ContainerCreateOptions } from 'dockerode';
import { runnerArgv } from '@berth/sandboxd';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { insideHome } from '../local/etc-files.ts';
import { insideProxyPort, insideSocketDirectory, insideTrust } from '../local/inside.ts';
import { ownProcesses } from '../local/limits.ts';
import { insideTools, toolPaths } from '../tools/index.ts';
import type { Engine } from './engine.ts';

/** Labels by which a container is found again, whoever made it. */
export const labels = {
  installation: 'berth.installation',
  sandbox: 'berth.sandbox',
  run: 'berth.run',
  epoch: 'berth.epoch',
  purpose: 'berth.purpose',
  image: 'berth.image',
  /** Of a service: its name. */
  service: 'berth.service',
  /** Of a service: the name of the sandbox's container. */
  parent: 'berth.parent',
  /** Of a service: when the sandbox's container was started whose network it shares. */
  beside: 'berth.beside',
} as const;

/** Files that are mounted for one sandbox, by their name in its directory's `etc`. */
export const ownFiles: Readonly<Record<string, string>> = {
  passwd: '/etc/passwd',
  group: '/etc/group',
  hosts: '/etc/hosts',
  'resolv.conf': '/etc/resolv.conf',
  'profile.sh': '/etc/profile.d/zz-berth.sh',
};

/** In the directory of the socket, read by the first program inside. */
export const insideFiles = { generation: 'generation', environment: 'environment' } as const;

export interface ContainerPlan {
  readonly spec: SandboxSpec;
  readonly installation: string;
  readonly imageId: string;
  readonly engine: Pick<Engine, 'kind' | 'remapsUsers' | 'labelsProcesses' | 'holds'>;
  readonly uid: number;
  readonly gid: number;
  /** Inside is the user that he is outside. */
  readonly keepsUser: boolean;
  /** Nobody else on this machine has this uid: processes can be counted by it. */
  readonly isDedicated: boolean;
  /** The worker's own hard limits; asking for more fails where the engine has no more either. */
  readonly hard: { readonly openFiles: number; readonly processes: number };
  /** A file with a filter of system calls that the engine reads; null: its own is strict enough. */
  readonly seccompFile: string | null;
  readonly tools: string;
  readonly socketDirectory: string;
  readonly etc: string;
  /** Directory with what programs inside trust, and the image's own file of authorities that its bundle covers. */
  readonly trust: { readonly directory: string; readonly bundle: string; readonly covers: string | null };
  readonly disk: { readonly workspace: string; readonly home: string; readonly tmp: string };
}

/**
 * The first program inside: takes what changes between two starts, and what nobody may read in the engine's own records,
 * from files; then becomes the supervisor of the runner.
 */
const entry = `
IFS= read -r BERTH_GENERATION <${insideSocketDirectory}/${insideFiles.generation}
IFS= read -r BERTH_COMMAND_ENV <${insideSocketDirectory}/${insideFiles.environment}
export BERTH_GENERATION BERTH_COMMAND_ENV
exec "$@"
`;

/** What an image may set and would change our own programs, too; commands get the image's values. */
export const cleared = [
  'LD_PRELOAD',
  'LD_LIBRARY_PATH',
  'LD_AUDIT',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'ENV',
];

export const cpuPeriodUs = 100_000;
/** More than any command opens at once, where no limit is known. */
export const most = 1_048_576;

/** Everything that the engine is asked for. Pure, so that nothing is forgotten by accident. */
export function containerOptions(plan: ContainerPlan): ContainerCreateOptions {
  const { spec, engine, hard } = plan;
  const { limits } = spec;
  const processes = limits.processes + ownProcesses;
  const limit = (Name: string, value: number) => ({ Name, Soft: Math.floor(value), Hard: Math.floor(value) });
  const bind = (Source: string, Target: string, ReadOnly: boolean) =>
    ({ Type: 'bind', Source, Target, ReadOnly, BindOptions: { Propagation: 'rprivate' } }) as const;
  return {
    Image: plan.imageId,
    Hostname: 'sandbox',
    User: `${plan.uid}:${plan.gid}`,
    WorkingDir: '/workspace',
    Env: [
      `PATH=${toolPaths.bin}:/usr/local/bin:/usr/bin:/bin`,
      'TMPDIR=/tmp',
      // glibc otherwise keeps the memory of past output, and a fork takes longer the more of it there is.
      'MALLOC_ARENA_MAX=2',
      'MALLOC_TRIM_THRESHOLD_=262144',
      ...cleared.map((name) => `${name}=`),
    ],
    Entrypoint: [toolPaths.shell, '-c', entry, 'berth-entry'],
    Cmd: runnerArgv({
      shell: toolPaths.shell,
      node: toolPaths.node,
      bundle: toolPaths.runner,
      sandboxId: spec.id,
      socket: `${insideSocketDirectory}/runner.sock`,
      egressPort: insideProxyPort,
      diskRoots: ['/workspace', insideHome, '/tmp'],
    }),
    Labels: {
      [labels.installation]: plan.installation,
      [labels.sandbox]: spec.id,
      [labels.run]: spec.runId,
      [labels.epoch]: String(spec.epoch),
      [labels.purpose]: spec.purpose,
      [labels.image]: plan.imageId,
    },
    Healthcheck: { Test: ['NONE'] },
    StopTimeout: 0,
    HostConfig: {
      NetworkMode: 'none',
      IpcMode: 'private',
      ...(plan.keepsUser ? { UsernsMode: 'keep-id' } : engine.remapsUsers ? { UsernsMode: 'host' } : {}),
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      // On SELinux a container's label may not reach the socket of a process outside.
      SecurityOpt: [
        'no-new-privileges',
        ...(engine.labelsProcesses ? ['label=disable'] : []),
        ...(plan.seccompFile === null ? [] : [`seccomp=${plan.seccompFile}`]),
      ],
      ...(engine.holds.processes ? { PidsLimit: processes } : {}),
      ...(engine.holds.memory ? { Memory: limits.memoryBytes } : {}),
      ...(engine.holds.memory && engine.holds.swap ? { MemorySwap: limits.memoryBytes } : {}),
      ...(engine.holds.cpu
        ? { CpuPeriod: cpuPeriodUs, CpuQuota: Math.max(1_000, Math.round(limits.cpus * cpuPeriodUs)) }
        : {}),
      ShmSize: Math.floor(limits.memoryBytes / 2),
      Ulimits: [
        limit('nofile', Math.min(limits.openFiles, hard.openFiles)),
        // Counted over all processes of a uid: of use only where nobody else has it. Podman wants it named all the same.
        limit('nproc', Math.min(plan.isDedicated ? processes : most, hard.processes)),
        limit('fsize', limits.fileBytes),
        limit('core', 0),
      ],
      Tmpfs: { '/run': 'rw,nosuid,nodev,noexec,size=16m,mode=1777' },
      Mounts: [
        bind(plan.tools, insideTools, true),
        bind(plan.socketDirectory, insideSocketDirectory, true),
        bind(plan.disk.workspace, '/workspace', false),
        bind(plan.disk.home, insideHome, false),
        bind(plan.disk.tmp, '/tmp', false),
        bind(plan.disk.tmp, '/var/tmp', false),
        bind(plan.trust.directory, insideTrust, true),
        ...(plan.trust.covers === null ? [] : [bind(plan.trust.bundle, plan.trust.covers, true)]),
        ...Object.entries(ownFiles).map(([name, path]) => bind(`${plan.etc}/${name}`, path, true)),
      ],
      // Commands can write to the first program's output: an engine's log would take it without end.
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      ...(spec.profile?.runtime === undefined ? {} : { Runtime: spec.profile.runtime }),
    },
  };
}
