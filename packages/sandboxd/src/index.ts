export { sandboxdBundle } from './bundle.ts';
export type { SandboxdBundle } from './bundle.ts';
export { commandEnvironmentName, runnerArgv, runnerEnvironment, sandboxdArgv } from './launch.ts';
export type { ContainerProcessSpec } from './sandboxd/container-process.ts';
export type { RunnerLaunch, SandboxdLaunch } from './launch.ts';
