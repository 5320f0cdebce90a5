export { sandboxdBundle } from './bundle.ts';
export type { SandboxdBundle } from './bundle.ts';
export { runnerArgv, runnerEnvironment, sandboxdArgv } from './launch.ts';
export type { RunnerLaunch, SandboxdLaunch } from './launch.ts';
