export { sandboxdBundle } from './bundle.ts';
export type { SandboxdBundle } from './bundle.ts';
export { commandEnvironmentName, runnerArgv, runnerEnvironment, sandboxdArgv } from './launch.ts';
export type { ContainerProcessSpec } from './sandboxd/container-process.ts';
export type { GateTarget, NetworkGate } from './gate-spec.ts';
export type { RunnerLaunch, SandboxdLaunch } from './launch.ts';
export { imageEnvironmentName } from './launch.ts';
export { runnerPodArgv, sandboxdPodArgv } from './launch-pod.ts';
export type { RunnerPodLaunch, SandboxdPodLaunch } from './launch-pod.ts';
