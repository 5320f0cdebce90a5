import { createHash } from 'node:crypto';
import type {
  V1Container,
  V1EnvVar,
  V1Pod,
  V1PodSpec,
  V1SecurityContext,
  V1Toleration,
  V1Volume,
  V1VolumeMount,
} from './api-types.ts';
import { kubernetesProfileSchema, type KubernetesProfile } from '../../domain/config/sandboxes.ts';
import { durationMs } from '../../domain/config/text.ts';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { meshOptOut, podLabels, podName, labelValue, label } from './labels.ts';

/** How the tools (Node, the runner, ripgrep) come into the pod; which one works is found by the probe. */
export type ToolsDelivery =
  /** An OCI image mounted as a volume: nothing is copied. */
  | { readonly kind: 'image-volume' }
  /** An init container copies them into an `emptyDir`; it costs 1.3 s of every start. */
  | { readonly kind: 'init-container'; readonly argv: readonly string[] };

/** One of the two programs of a sandbox. */
export interface ContainerProgram {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Everything that decides how the pod looks; made by the driver, turned into an object here. */
export interface PodPlan {
  readonly spec: SandboxSpec;
  readonly installation: string;
  readonly namespace: string;
  /** Image of sandboxd and of the tools. */
  readonly toolsImage: string;
  /** What commands run in where the profile names no image. */
  readonly defaultImage: string;
  readonly tools: ToolsDelivery;
  readonly sandboxd: ContainerProgram;
  readonly work: ContainerProgram;
  /** sandboxd's port. */
  readonly port: number;
  /** The pod gets a user namespace of its own (`hostUsers: false`). */
  readonly userNamespace: boolean;
}

export const containerNames = { sandboxd: 'sandboxd', work: 'work', tools: 'tools' } as const;
/** Where things are inside. */
export const podPaths = {
  tools: '/opt/berth',
  sockets: '/run/berth',
  spool: '/var/spool/berth',
  workspace: '/workspace',
  home: '/home/agent',
} as const;
/** In the environment of sandboxd: the pod's own UID, which its clients' certificates must name. */
export const podUidVariable = 'BERTH_POD_UID';
/** In the environment of sandboxd: the address of the pod's own node, known when a node has taken it. */
const nodeAddressVariable = 'BERTH_NODE_ADDRESS';
/** Give it in `sandboxd.argv` to have the address there. */
export const nodeAddressReference = `$(${nodeAddressVariable})`;

/** sandboxd's own uid: `nonroot` of the distroless images, so that one is known not to be a person's. */
const sandboxdUid = 65_532;
/** Ends well inside the two seconds that a cancelled run is promised. */
const graceSeconds = 2;
const mib = 1024 ** 2;
/** Output that waits for its reader is spooled up to 64 MiB (`protocol/limits.ts`); the rest is slack. */
const spoolBytes = 96 * mib;
const sandboxdMemoryBytes = 256 * mib;
const toolsBytes = 512 * mib;

/** Uids of sandboxes where there is no user namespace: what Debian leaves between people and packages. */
const uidRange = { first: 20_000, count: 40_000 } as const;

/** The uid of a sandbox's commands: `RLIMIT_NPROC` counts per uid over a whole node, so each sandbox has its own. */
export function sandboxUid(sandboxId: string): number {
  const hash = createHash('sha256').update(sandboxId).digest().readUInt32BE(0);
  return uidRange.first + (hash % uidRange.count);
}

/** The pod of a sandbox: passes Pod Security `restricted`, and holds nothing that could be used anywhere else. */
export function sandboxPod(plan: PodPlan): V1Pod {
  const { spec } = plan;
  const profile = profileOf(spec);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(spec.id),
      namespace: plan.namespace,
      // Ours last: a profile cannot claim another installation's labels.
      labels: {
        ...profile.labels,
        ...meshOptOut.labels,
        ...podLabels({ ...spec, installation: plan.installation }),
      },
      annotations: { ...profile.annotations, ...meshOptOut.annotations },
    },
    spec: podSpec(plan, profile),
  };
}

export function profileOf(spec: SandboxSpec): KubernetesProfile {
  return spec.profile?.kubernetes ?? kubernetesProfileSchema.parse({});
}

function podSpec(plan: PodPlan, profile: KubernetesProfile): V1PodSpec {
  const { spec } = plan;
  const uid = plan.userNamespace ? 1_000 : sandboxUid(spec.id);
  return {
    // A memory kill of `work` restarts `work` alone; sandboxd, its journal and the workspace live on.
    restartPolicy: 'Always',
    activeDeadlineSeconds: Math.ceil(durationMs(profile.deadline) / 1_000),
    terminationGracePeriodSeconds: graceSeconds,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    ...(plan.userNamespace ? { hostUsers: false } : {}),
    shareProcessNamespace: false,
    // The names of the cluster are nobody's business inside: names are resolved by the worker.
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['127.0.0.1'], options: [{ name: 'timeout', value: '1' }] },
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    ...(profile.runtimeClass === undefined ? {} : { runtimeClassName: profile.runtimeClass }),
    ...(Object.keys(profile.nodeSelector).length === 0 ? {} : { nodeSelector: { ...profile.nodeSelector } }),
    ...(profile.tolerations.length === 0 ? {} : { tolerations: profile.tolerations.map(tolerationOf) }),
    ...(profile.spreadOver === undefined
      ? {}
      : { topologySpreadConstraints: [spread(plan, profile.spreadOver)] }),
    ...(profile.imagePullSecrets.length === 0
      ? {}
      : { imagePullSecrets: profile.imagePullSecrets.map((name) => ({ name })) }),
    initContainers: [
      ...(plan.tools.kind === 'init-container' ? [toolsContainer(plan, plan.tools.argv)] : []),
      sandboxdContainer(plan),
    ],
    containers: [workContainer(plan, uid)],
    volumes: volumes(plan),
  };
}

function spread(plan: PodPlan, topologyKey: string) {
  return {
    maxSkew: 1,
    topologyKey,
    // Rather a crowded node than a sandbox that waits.
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: { [label.installation]: labelValue(plan.installation) } },
  };
}

function tolerationOf(one: KubernetesProfile['tolerations'][number]): V1Toleration {
  return {
    operator: one.operator,
    ...(one.key === undefined ? {} : { key: one.key }),
    ...(one.value === undefined ? {} : { value: one.value }),
    ...(one.effect === undefined ? {} : { effect: one.effect }),
  };
}

/** Images are named by digest, or change under everybody's feet; asking the registry each time would not mend that. */
const pullPolicy = 'IfNotPresent';
const socketVolume = 'sockets';
const toolsVolume = 'tools';
const toolsMount: V1VolumeMount = { name: toolsVolume, mountPath: podPaths.tools, readOnly: true };

function sandboxdContainer(plan: PodPlan): V1Container {
  return {
    name: containerNames.sandboxd,
    image: plan.toolsImage,
    imagePullPolicy: pullPolicy,
    // A native sidecar: there before `work` starts, and started again without it.
    restartPolicy: 'Always',
    command: plan.sandboxd.argv.map((word) =>
      word.split(nodeAddressReference).map(literal).join(nodeAddressReference),
    ),
    env: [
      { name: podUidVariable, valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
      { name: nodeAddressVariable, valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      ...envOf(plan.sandboxd),
    ],
    ports: [{ name: 'channel', containerPort: plan.port, protocol: 'TCP' }],
    securityContext: restricted(sandboxdUid),
    resources: {
      // No CPU limit: a busy sandbox must not make its own channel look dead.
      requests: { cpu: '100m', memory: String(sandboxdMemoryBytes), 'ephemeral-storage': String(spoolBytes) },
      limits: { memory: String(sandboxdMemoryBytes), 'ephemeral-storage': String(spoolBytes) },
    },
    volumeMounts: [
      { name: socketVolume, mountPath: podPaths.sockets },
      { name: 'spool', mountPath: podPaths.spool },
      toolsMount,
    ],
  };
}

function workContainer(plan: PodPlan, uid: number): V1Container {
  const { limits, profile } = plan.spec;
  const image = profile?.image ?? plan.defaultImage;
  return {
    name: containerNames.work,
    image,
    imagePullPolicy: pullPolicy,
    command: plan.work.argv.map(literal),
    env: envOf(plan.work),
    workingDir: podPaths.workspace,
    securityContext: restricted(uid),
    resources: {
      // All of its memory is requested: what is promised twice ends as a kill. CPU and disk are shared.
      requests: {
        cpu: milli(limits.cpus / 4),
        memory: String(limits.memoryBytes),
        'ephemeral-storage': String(Math.floor(limits.diskBytes / 4)),
      },
      limits: {
        cpu: milli(limits.cpus),
        memory: String(limits.memoryBytes),
        'ephemeral-storage': String(limits.diskBytes),
      },
    },
    volumeMounts: [
      { name: 'workspace', mountPath: podPaths.workspace },
      { name: 'home', mountPath: podPaths.home },
      { name: 'tmp', mountPath: '/tmp' },
      // It connects to a socket in there, and can put nothing in its place.
      { name: socketVolume, mountPath: podPaths.sockets, readOnly: true },
      toolsMount,
    ],
  };
}

function toolsContainer(plan: PodPlan, argv: readonly string[]): V1Container {
  return {
    name: containerNames.tools,
    image: plan.toolsImage,
    imagePullPolicy: pullPolicy,
    command: argv.map(literal),
    securityContext: restricted(sandboxdUid),
    resources: {
      requests: { cpu: '100m', memory: String(128 * mib), 'ephemeral-storage': String(16 * mib) },
      limits: { cpu: '1', memory: String(128 * mib), 'ephemeral-storage': String(toolsBytes) },
    },
    volumeMounts: [{ name: toolsVolume, mountPath: podPaths.tools }],
  };
}

function volumes(plan: PodPlan): V1Volume[] {
  const disk = String(plan.spec.limits.diskBytes);
  return [
    { name: 'workspace', emptyDir: { sizeLimit: disk } },
    { name: 'home', emptyDir: { sizeLimit: disk } },
    { name: 'tmp', emptyDir: { sizeLimit: disk } },
    { name: 'spool', emptyDir: { sizeLimit: String(spoolBytes) } },
    // In memory, and counted as sandboxd's: nothing but a socket lies there.
    { name: socketVolume, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    plan.tools.kind === 'image-volume'
      ? { name: toolsVolume, image: { reference: plan.toolsImage, pullPolicy } }
      : { name: toolsVolume, emptyDir: { sizeLimit: String(toolsBytes) } },
  ];
}

function restricted(uid: number): V1SecurityContext {
  return {
    runAsUser: uid,
    runAsGroup: uid,
    runAsNonRoot: true,
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Of containers that are ours. */
export const sandboxdSecurity = restricted(sandboxdUid);

/** Kubernetes puts variables for `$(NAME)` in commands and values, and `$` for `$$`: so each `$` is doubled. */
function literal(word: string): string {
  return word.replaceAll('$', '$$$$');
}

function milli(cpus: number): string {
  return `${Math.max(10, Math.round(cpus * 1_000))}m`;
}

function envOf(program: ContainerProgram): V1EnvVar[] {
  return Object.entries(program.env).map(([name, value]) => ({ name, value: literal(value) }));
}
