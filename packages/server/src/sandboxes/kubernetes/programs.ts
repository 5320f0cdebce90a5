import {
  imageEnvironmentName,
  runnerEnvironment,
  runnerPodArgv,
  sandboxdPodArgv,
  type GateTarget,
} from '@berth/sandboxd';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';
import { sandboxEnvironment } from '../local/environment.ts';
import { insideProxyPort } from '../local/inside.ts';
import { insideTools, toolPaths } from '../tools/layout.ts';
import { nodeAddressReference, podPaths, podUidVariable, type ContainerProgram } from './pod-spec.ts';

/** What a sandbox must not reach. */
export type GateTargets = readonly GateTarget[];

/** The runner's socket, in the volume that both containers mount. */
const runnerSocket = `${podPaths.sockets}/runner.sock`;

/** Where the kubelet listens on every node. */
const kubeletPort = 10_250;

/** What is tried from this sandbox: what no sandbox may reach, and the node that takes it, which nobody knows before. */
export function gateFor({ profile }: Pick<SandboxSpec, 'profile'>, targets: GateTargets): GateTargets {
  if (profile?.kubernetes.acceptUnprovenNetworkPolicy === true || targets.length === 0) return [];
  if (profile?.kubernetes.acceptReachableNode === true) return targets;
  return [...targets, { name: 'node', host: nodeAddressReference, port: kubeletPort, protocol: 'tcp' }];
}

/** What the container `sandboxd` runs. */
export function sandboxdProgram(options: {
  readonly spec: SandboxSpec;
  readonly port: number;
  readonly channelPublicKeyPem: string;
  readonly dropLocal: boolean;
  readonly gate: GateTargets;
  readonly idleMinutes: number;
}): ContainerProgram {
  const { spec } = options;
  const gate = gateFor(spec, options.gate);
  return {
    argv: sandboxdPodArgv({
      node: toolPaths.node,
      bundle: toolPaths.sandboxd,
      sandboxId: spec.id,
      listen: { host: '0.0.0.0', port: options.port },
      channelPublicKeyPem: options.channelPublicKeyPem,
      podUid: { env: podUidVariable },
      runnerSocket,
      spoolDirectory: podPaths.spool,
      epoch: spec.epoch,
      dropLocal: options.dropLocal,
      idleMinutes: options.idleMinutes,
      ...(gate.length === 0 ? {} : { gate: { targets: gate } }),
    }),
    env: { PATH: '/usr/bin:/bin' },
  };
}

/** For an image that names none; what an image puts on its own PATH is not known from outside. */
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The guard needs `sleep`, which not every image has: ours comes last. */
const pathScript = `PATH="\${PATH:-${usualPath}}:${insideTools}/bin"; export PATH; exec "$@"`;

/** What programs inside trust, written after the start: what an image trusts can only be read in it. */
export const podTrust = `${podPaths.home}/.berth-trust`;

/** What the container `work` runs, in the user's image. */
export function workProgram(options: {
  readonly spec: SandboxSpec;
  /** Registry settings of the operator, credentials stripped. */
  readonly registries: Readonly<Record<string, string>>;
}): ContainerProgram {
  const { spec } = options;
  const { limits } = spec;
  const commands = sandboxEnvironment({
    programs: { path: ['{image}'], env: {} },
    registries: options.registries,
    trust: podTrust,
    // Values of a spec may be secret, and a pod's spec is read by many: they come with each command.
    spec: {},
  });
  const runner = runnerPodArgv({
    node: toolPaths.node,
    bundle: toolPaths.runner,
    sandboxId: spec.id,
    socket: runnerSocket,
    egressPort: insideProxyPort,
    diskRoots: [podPaths.workspace, podPaths.home, '/tmp'],
    shell: [toolPaths.shell],
    limits: {
      processes: limits.processes,
      fileBytes: limits.fileBytes,
      openFiles: limits.openFiles,
      memoryBytes: limits.memoryBytes,
    },
  });
  // The image's own PATH stays: a variable of the pod would hide it.
  const { PATH: _hidden, ...environment } = runnerEnvironment(commands);
  return {
    argv: [toolPaths.shell, '-c', pathScript, 'berth-path', ...runner],
    env: { ...environment, [imageEnvironmentName]: 'yes' },
  };
}
