import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { openChannelAuthority } from '../../channel/authority.ts';
import type { DoctorCheck } from '../../domain/doctor.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type {
  ProvedProfile,
  Sandbox,
  SandboxDriver,
  SandboxRef,
  SandboxSpec,
} from '../../domain/ports/sandbox.ts';
import { loadCredentials, openConnection, type Credentials } from './connection.ts';
import { KubernetesDriver } from './driver.ts';
import { reachByPortForward } from './port-forward.ts';
import type { GateTargets } from './programs.ts';
import { reachByAddress } from './reach.ts';
import { refuseWhatIsNotSupported } from './refusals.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The driver that the environment asks for (`docs/kubernetes.md`), or null when it names no namespace. The cluster is looked
 * for when it is needed first.
 * @param home `$BERTH_HOME`: the channel key lies in it, unless `BERTH_CHANNEL_KEY_DIRECTORY` names where one is mounted
 */
export function kubernetesFromEnvironment(options: {
  readonly home: string;
  readonly clock: Clock;
  readonly env: Environment;
  /** As `sandboxAuthorities` takes it. */
  readonly authoritySeed?: Uint8Array;
}): SandboxDriver | null {
  const namespace = options.env['BERTH_KUBERNETES_NAMESPACE'];
  if (namespace === undefined || namespace === '') return null;
  return new LateDriver(() => openDriver({ ...options, namespace }));
}

async function openDriver(options: {
  readonly home: string;
  readonly clock: Clock;
  readonly env: Environment;
  readonly namespace: string;
  readonly authoritySeed?: Uint8Array;
}): Promise<KubernetesDriver> {
  const { env, namespace, clock } = options;
  const credentials = await loadCredentials(env['KUBECONFIG']?.split(':')[0]);
  const isOutside = (env['BERTH_KUBERNETES_REACH'] ?? defaultReach(env)) === 'port-forward';
  return new KubernetesDriver({
    connection: openConnection(credentials),
    namespace,
    installation: env['BERTH_INSTALLATION'] ?? 'berth',
    authority: openChannelAuthority(
      { directory: env['BERTH_CHANNEL_KEY_DIRECTORY'] ?? join(options.home, 'channel') },
      clock,
    ),
    toolsImage: needed(env, 'BERTH_TOOLS_IMAGE'),
    defaultImage: needed(env, 'BERTH_SANDBOX_IMAGE'),
    tools: 'detect',
    reach: isOutside ? reachByPortForward(credentials, namespace) : reachByAddress,
    isOutside,
    gate: gateTargets(credentials, env),
    userNamespace: env['BERTH_KUBERNETES_USER_NAMESPACES'] === 'true',
    clock,
    ...(options.authoritySeed === undefined ? {} : { authoritySeed: options.authoritySeed }),
  });
}

function defaultReach(env: Environment): 'address' | 'port-forward' {
  return env['KUBERNETES_SERVICE_HOST'] === undefined ? 'port-forward' : 'address';
}

function needed(env: Environment, name: string): string {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  throw new BerthError('SANDBOX_UNAVAILABLE', `The driver kubernetes needs ${name}.`, {
    next: `Set ${name}; docs/kubernetes.md says to what.`,
  });
}

/**
 * What no sandbox may reach: the API server, the address at which clouds hand out credentials, the cluster's DNS, and this
 * worker, where its own address is known. A sandbox's node is added when its pod is made.
 */
export function gateTargets(
  credentials: Pick<Credentials, 'server'>,
  env: Environment,
  interfaces: () => ReturnType<typeof networkInterfaces> = networkInterfaces,
): GateTargets {
  const server = new URL(credentials.server);
  const host = env['KUBERNETES_SERVICE_HOST'] ?? server.hostname.replaceAll(/[[\]]/g, '');
  const port = Number(env['KUBERNETES_SERVICE_PORT'] ?? (server.port || 443));
  const nameserver = env['KUBERNETES_SERVICE_HOST'] === undefined ? null : ownNameserver();
  const worker = workerAddress(env, interfaces);
  return [
    ...(isIP(host) === 0 ? [] : [{ name: 'api-server', host, port, protocol: 'tcp' as const }]),
    { name: 'metadata', host: '169.254.169.254', port: 80, protocol: 'tcp' },
    ...(nameserver === null ? [] : [{ name: 'dns', host: nameserver, port: 53, protocol: 'dns' as const }]),
    ...(worker === null ? [] : [{ name: 'worker', ...worker, protocol: 'tcp' as const }]),
  ];
}

/**
 * Where this worker listens for API replicas, as another machine reaches it: what `BERTH_INTERNAL_URL` says, or the address
 * of this pod and the port of `BERTH_INTERNAL_LISTEN`. Null: it listens on loopback only, or on a port nobody knows yet.
 */
function workerAddress(
  env: Environment,
  interfaces: () => ReturnType<typeof networkInterfaces>,
): { readonly host: string; readonly port: number } | null {
  const url = URL.parse(env['BERTH_INTERNAL_URL'] ?? '');
  const told = url?.hostname.replaceAll(/[[\]]/g, '') ?? '';
  const listens = /^(.*):(\d+)$/.exec(env['BERTH_INTERNAL_LISTEN'] ?? '');
  const port = Number((url?.port ?? '') || (url === null ? (listens?.[2] ?? 0) : 443));
  if (port === 0) return null;
  const own = isIP(told) === 0 ? (listens?.[1] ?? '').replaceAll(/[[\]]/g, '') : told;
  const everywhere = own === '0.0.0.0' || own === '::' || isIP(own) === 0;
  const host = everywhere ? ownAddress(interfaces()) : own;
  return host === null || isLoopback(host) ? null : { host, port };
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1';
}

/** The first address of this machine that others may reach; a pod has one. */
function ownAddress(interfaces: ReturnType<typeof networkInterfaces>): string | null {
  const all = Object.values(interfaces).flatMap((one) => one ?? []);
  return all.find(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)?.address ?? null;
}

function ownNameserver(): string | null {
  try {
    const found = /^nameserver\s+(\S+)/m.exec(readFileSync('/etc/resolv.conf', 'utf8'))?.[1] ?? '';
    return isIP(found) === 0 ? null : found;
  } catch {
    return null;
  }
}

/** A driver that is made when it is asked for something first; asked again after it could not be made. */
class LateDriver implements SandboxDriver {
  readonly name = 'kubernetes';
  readonly #open: () => Promise<KubernetesDriver>;
  #driver: Promise<KubernetesDriver> | null = null;

  constructor(open: () => Promise<KubernetesDriver>) {
    this.#open = open;
  }
  async probe(signal?: AbortSignal): ReturnType<SandboxDriver['probe']> {
    return (await this.#ready()).probe(signal);
  }
  async prove(profiles: readonly ProvedProfile[], signal: AbortSignal): Promise<readonly DoctorCheck[]> {
    return (await this.#ready()).prove(profiles, signal);
  }
  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    return (await this.#ready()).create(spec, signal);
  }
  async attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    return (await this.#ready()).attach(ref, spec, signal);
  }
  async assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    return (await this.#ready()).assign(idle, spec, signal);
  }
  assertSuits(profile: SandboxSpec['profile']): void {
    refuseWhatIsNotSupported(profile);
  }
  async fingerprint(spec: Pick<SandboxSpec, 'id'>): Promise<string | null> {
    return (await this.#ready()).fingerprint(spec);
  }
  async list(): ReturnType<SandboxDriver['list']> {
    return (await this.#ready()).list();
  }
  async destroy(id: string): Promise<void> {
    await (await this.#ready()).destroy(id);
  }
  #ready(): Promise<KubernetesDriver> {
    this.#driver ??= this.#open().catch((error: unknown) => {
      this.#driver = null;
      throw error;
    });
    return this.#driver;
  }
}
