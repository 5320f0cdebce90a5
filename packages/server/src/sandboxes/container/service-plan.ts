import type { ContainerCreateOptions } from 'dockerode';
import type { ServiceConfig } from '../../domain/config/sandboxes.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { insideProxyPort } from '../local/inside.ts';
import type { Engine } from './engine.ts';
import type { SandboxImage } from './image.ts';
import { cpuPeriodUs, labels } from './plan.ts';

/** PostgreSQL with its defaults takes about 20, one more for each connection. */
export const serviceProcesses = 512;

/** `db-main` → `DB_MAIN_HOST` and `DB_MAIN_PORT`. */
export function serviceHints(services: readonly ServiceConfig[]): Record<string, string> {
  return Object.fromEntries(
    services.flatMap(({ name, port }) => {
      const prefix = name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
      return [
        [`${prefix}_HOST`, '127.0.0.1'],
        [`${prefix}_PORT`, String(port)],
      ];
    }),
  );
}

/** @throws BerthError `SANDBOX_UNSUPPORTED` for names and ports that two of them, or the way out, would share */
export function assertServices(who: string, services: readonly ServiceConfig[]): void {
  const refuse = (why: string): never => {
    throw new BerthError('SANDBOX_UNSUPPORTED', `${who} ${why}.`);
  };
  const [names, ports] = [new Set<string>(), new Set<number>([insideProxyPort])];
  for (const { name, port } of services) {
    if (names.has(name)) refuse(`has two services with the name ${name}`);
    if (port === insideProxyPort) refuse(`has a service on port ${port}, which is the sandbox's way out`);
    if (ports.has(port)) refuse(`has two services on port ${port}: all share one loopback`);
    names.add(name);
    ports.add(port);
  }
}

export interface ServicePlan {
  readonly service: ServiceConfig;
  readonly image: Pick<SandboxImage, 'id' | 'env' | 'volumes'>;
  readonly engine: Pick<Engine, 'kind' | 'remapsUsers' | 'labelsProcesses' | 'holds'>;
  readonly installation: string;
  readonly sandboxId: string;
  readonly runId: string;
  /** The sandbox's own container, and when it was started. */
  readonly parent: { readonly name: string; readonly startedAt: string };
  readonly user: { readonly uid: number; readonly gid: number; readonly keepsUser: boolean };
  readonly openFiles: number;
  /** Of its uid, in all containers together. */
  readonly processesOfUser: number;
  /** The worker's own hard limits. */
  readonly hard: { readonly openFiles: number; readonly processes: number };
  readonly runtime: string | undefined;
  readonly seccompFile: string | null;
  /** Files with lists of users and groups that know the service's uid. */
  readonly passwd: string;
  readonly group: string;
}

/**
 * Everything that the engine is asked for. The network is the sandbox's, and that is all that is shared: no mount of the
 * sandbox, no socket, no capability, no root.
 */
export function serviceOptions(plan: ServicePlan): ContainerCreateOptions {
  const { service, image, engine, user } = plan;
  const memory = service.memoryMiB * 2 ** 20;
  // Each engine has its own word for a tmpfs of the container's own user.
  const owned = engine.kind === 'podman' ? 'U' : `uid=${user.uid},gid=${user.gid}`;
  const scratch = `rw,nosuid,nodev,noexec,mode=1777,${owned},size=`;
  const tmpfs = Object.fromEntries([
    ...['/tmp', '/var/tmp', '/run'].map((path) => [path, `${scratch}${service.memoryMiB}m`]),
    ...image.volumes.map((path) => [
      path,
      `rw,nosuid,nodev,noexec,mode=0700,${owned},size=${service.memoryMiB}m`,
    ]),
  ]) as Record<string, string>;
  const env = { HOME: '/tmp', ...service.env };
  const limit = (Name: string, value: number) => ({ Name, Soft: Math.floor(value), Hard: Math.floor(value) });
  const bind = (Source: string, Target: string) =>
    ({ Type: 'bind', Source, Target, ReadOnly: true, BindOptions: { Propagation: 'rprivate' } }) as const;
  return {
    Image: image.id,
    User: `${user.uid}:${user.gid}`,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...(service.command === undefined ? {} : { Cmd: [...service.command] }),
    Labels: {
      [labels.installation]: plan.installation,
      [labels.sandbox]: plan.sandboxId,
      [labels.run]: plan.runId,
      [labels.image]: image.id,
      [labels.service]: service.name,
      [labels.parent]: plan.parent.name,
      [labels.beside]: plan.parent.startedAt,
    },
    Healthcheck: { Test: ['NONE'] },
    StopTimeout: 0,
    HostConfig: {
      NetworkMode: `container:${plan.parent.name}`,
      IpcMode: 'private',
      // A user namespace of its own may not join the sandbox's network.
      ...(user.keepsUser
        ? { UsernsMode: `container:${plan.parent.name}` }
        : engine.remapsUsers
          ? { UsernsMode: 'host' }
          : {}),
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: [
        'no-new-privileges',
        ...(engine.labelsProcesses ? ['label=disable'] : []),
        ...(plan.seccompFile === null ? [] : [`seccomp=${plan.seccompFile}`]),
      ],
      ...(engine.holds.processes ? { PidsLimit: serviceProcesses } : {}),
      ...(engine.holds.memory ? { Memory: memory } : {}),
      ...(engine.holds.memory && engine.holds.swap ? { MemorySwap: memory } : {}),
      ...(engine.holds.cpu
        ? { CpuPeriod: cpuPeriodUs, CpuQuota: Math.max(1_000, Math.round(service.cpus * cpuPeriodUs)) }
        : {}),
      ShmSize: Math.floor(memory / 2),
      Ulimits: [
        limit('nofile', Math.min(plan.openFiles, plan.hard.openFiles)),
        // Counted over the sandbox, too. Podman asks for more than there may be of what is not named.
        limit('nproc', Math.min(plan.processesOfUser, plan.hard.processes)),
        limit('core', 0),
      ],
      Tmpfs: tmpfs,
      Mounts: [bind(plan.passwd, '/etc/passwd'), bind(plan.group, '/etc/group')],
      // The end of it is shown when the service fails; no more is kept.
      LogConfig:
        engine.kind === 'podman'
          ? { Type: 'k8s-file', Config: { 'max-size': '1mb' } }
          : { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
      RestartPolicy: { Name: 'no' },
      ...(plan.runtime === undefined ? {} : { Runtime: plan.runtime }),
    },
  };
}
