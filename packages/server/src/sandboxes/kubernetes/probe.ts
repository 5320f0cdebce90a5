import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { V1Pod } from './api-types.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import type { DoctorCheck } from '../../domain/doctor.ts';
import { newId } from '../../domain/ids.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { noEgress } from '../../domain/egress.ts';
import type { PodClient } from './client.ts';
import type { ApiConnection } from './connection.ts';
import { sandboxPod, type ToolsDelivery } from './pod-spec.ts';
import { capacityCodes } from './pod-state.ts';

/** What a sandbox that is only asked about needs. */
export interface ProbedCluster {
  readonly client: PodClient;
  readonly clock: Clock;
  readonly namespace: string;
  readonly installation: string;
  readonly toolsImage: string;
  readonly defaultImage: string;
}

export interface ClusterProbeOptions extends ProbedCluster {
  readonly connection: ApiConnection;
  readonly isOutside: boolean;
  readonly delivery: () => Promise<ToolsDelivery>;
}

type Finding = Omit<DoctorCheck, 'ms'>;

/** What the driver does in the sandbox namespace, and nothing else. */
export const neededVerbs: ReadonlyArray<{
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string | null;
  readonly onlyOutside?: true;
}> = [
  ...['create', 'get', 'list', 'watch', 'delete'].map((verb) => ({
    verb,
    resource: 'pods',
    subresource: null,
  })),
  { verb: 'get', resource: 'pods', subresource: 'log' },
  { verb: 'create', resource: 'pods', subresource: 'portforward', onlyOutside: true },
];

/** A clock that is further off makes client certificates invalid before they begin. */
const skewMs = 30_000;

/** What of the driver works on this cluster, by trying it. Nothing stays behind. */
export async function probeCluster(
  options: ClusterProbeOptions,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly checks: readonly DoctorCheck[] }> {
  const checks: DoctorCheck[] = [];
  const timed = async (id: string, work: () => Promise<Finding>): Promise<boolean> => {
    const startMs = performance.now();
    const found = await work().catch((error: unknown): Finding => {
      signal.throwIfAborted();
      const { message, next } = asBerthError(error);
      return { id, state: 'fail', sentence: message, fix: next };
    });
    checks.push({ ...found, ms: Math.round(performance.now() - startMs) });
    return found.state !== 'fail';
  };
  const isThere =
    (await timed('cluster-dns', () => dns(options))) &&
    (await timed('cluster-clock', () => clockOf(options, signal)));
  if (isThere && (await timed('cluster-permissions', () => permissions(options, signal)))) {
    await timed('pod-security', () => podSecurity(options, signal));
    await timed('sandbox-admission', () => admission(options, signal));
    await timed('image-volumes', () => tools(options));
  }
  return { ok: checks.every(({ state }) => state !== 'fail'), checks };
}

async function dns({ connection }: ClusterProbeOptions): Promise<Finding> {
  const id = 'cluster-dns';
  const host = new URL(connection.credentials.server).hostname.replaceAll(/[[\]]/g, '');
  if (isIP(host) !== 0)
    return { id, state: 'pass', sentence: `The API server is reached at ${host}.`, fix: null };
  try {
    const { address } = await lookup(host);
    return { id, state: 'pass', sentence: `The API server ${host} resolves to ${address}.`, fix: null };
  } catch {
    return {
      id,
      state: 'fail',
      sentence: `The name ${host} of the API server does not resolve.`,
      fix: 'Mend DNS of this machine, or name the API server by its address in the kubeconfig.',
    };
  }
}

async function clockOf({ client, clock }: ClusterProbeOptions, signal: AbortSignal): Promise<Finding> {
  const id = 'cluster-clock';
  const theirsMs = await client.serverTimeMs(signal);
  if (theirsMs === null)
    return { id, state: 'skip', sentence: 'The API server does not say what time it is.', fix: null };
  const offMs = Math.abs(theirsMs - clock.nowMs());
  if (offMs <= skewMs)
    return { id, state: 'pass', sentence: 'The clocks of cluster and worker agree.', fix: null };
  return {
    id,
    state: 'fail',
    sentence: `The clocks of cluster and worker differ by ${Math.round(offMs / 1_000)} s.`,
    fix: 'Synchronise both with a time server.',
  };
}

async function permissions(options: ClusterProbeOptions, signal: AbortSignal): Promise<Finding> {
  const id = 'cluster-permissions';
  const asked = neededVerbs.filter(({ onlyOutside }) => onlyOutside !== true || options.isOutside);
  const allowed = await Promise.all(
    asked.map(({ verb, resource, subresource }) => options.client.mayI(verb, resource, subresource, signal)),
  );
  const missing = asked
    .filter((_, index) => allowed[index] !== true)
    .map(
      ({ verb, resource, subresource }) =>
        `${verb} ${resource}${subresource === null ? '' : `/${subresource}`}`,
    );
  if (missing.length === 0)
    return { id, state: 'pass', sentence: `Berth may do in ${options.namespace} what it needs.`, fix: null };
  return {
    id,
    state: 'fail',
    sentence: `In the namespace ${options.namespace} Berth may not: ${missing.join(', ')}.`,
    fix: 'Bind the Role of docs/kubernetes.md to the service account of Berth.',
  };
}

/** A pod that `restricted` must refuse; asked without storing it. */
async function podSecurity(options: ClusterProbeOptions, signal: AbortSignal): Promise<Finding> {
  const id = 'pod-security';
  const pod = probeSandbox(options, { kind: 'image-volume' });
  const loose: V1Pod = {
    ...pod,
    spec: { ...pod.spec!, volumes: [...pod.spec!.volumes!, { name: 'host', hostPath: { path: '/' } }] },
  };
  try {
    await options.client.tryCreate(loose, signal);
  } catch (error) {
    const { code } = asBerthError(error);
    if (code === 'SANDBOX_POD_REFUSED')
      return {
        id,
        state: 'pass',
        sentence: 'The namespace refuses pods that are not restricted.',
        fix: null,
      };
    if (capacityCodes.has(code))
      return {
        id,
        state: 'skip',
        sentence: 'The quota is used up, so Pod Security was not asked.',
        fix: null,
      };
    throw error;
  }
  return {
    id,
    state: 'warn',
    sentence: 'The namespace takes pods that Pod Security `restricted` refuses.',
    fix: `kubectl label namespace ${options.namespace} pod-security.kubernetes.io/enforce=restricted`,
  };
}

async function admission(options: ClusterProbeOptions, signal: AbortSignal): Promise<Finding> {
  const id = 'sandbox-admission';
  try {
    // Without the tools, which have a check of their own.
    const pod = probeSandbox(options, { kind: 'init-container', argv: ['true'] });
    await options.client.tryCreate(pod, signal);
  } catch (error) {
    const { code, message, next } = asBerthError(error);
    if (capacityCodes.has(code))
      return { id, state: 'warn', sentence: `${message} Runs wait until there is room.`, fix: null };
    return { id, state: 'fail', sentence: message, fix: next };
  }
  return { id, state: 'pass', sentence: 'The cluster admits a sandbox.', fix: null };
}

async function tools(options: ClusterProbeOptions): Promise<Finding> {
  const id = 'image-volumes';
  const delivery = await options.delivery();
  if (delivery.kind === 'image-volume')
    return {
      id,
      state: 'pass',
      sentence: 'Tools come by an image volume: a program of one was run.',
      fix: null,
    };
  return {
    id,
    state: 'warn',
    sentence:
      'Image volumes do not work here; an init container copies the tools, which costs each start a second.',
    fix: 'Use Kubernetes 1.35 or newer with containerd 2.1 or newer.',
  };
}

const mib = 1024 ** 2;

/** A sandbox that asks what the cluster makes of it: a small one, or one of a profile. */
export function probeSandbox(
  options: ProbedCluster,
  delivery: ToolsDelivery,
  of?: Pick<SandboxSpec, 'profile' | 'limits'>,
): V1Pod {
  const spec: SandboxSpec = {
    id: newId('s', options.clock.nowMs()),
    runId: 'probe',
    purpose: 'verify',
    epoch: 0,
    limits: {
      memoryBytes: 128 * mib,
      cpus: 0.1,
      processes: 64,
      openFiles: 1_024,
      fileBytes: 16 * mib,
      diskBytes: 128 * mib,
    },
    env: {},
    egress: noEgress,
    profile: null,
    ...of,
  };
  return sandboxPod({
    spec,
    installation: options.installation,
    namespace: options.namespace,
    toolsImage: options.toolsImage,
    defaultImage: options.defaultImage,
    tools: delivery,
    sandboxd: { argv: ['true'], env: {} },
    work: { argv: ['true'], env: {} },
    port: 1,
    userNamespace: false,
  });
}
