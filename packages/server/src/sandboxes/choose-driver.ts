import type { Clock } from '../domain/ports/clock.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { BubblewrapDriver, defaultStateDirectory } from './bubblewrap/index.ts';
import { kubernetesFromEnvironment } from './kubernetes/index.ts';

/** The cluster that the environment names, or else what this machine offers; it refuses with a code where it cannot work. */
export function chooseDriver(options: { readonly home: string; readonly clock: Clock }): SandboxDriver {
  const cluster = kubernetesFromEnvironment({ ...options, env: process.env });
  if (cluster !== null) return cluster;
  return new BubblewrapDriver({ stateDirectory: defaultStateDirectory(options.home), clock: options.clock });
}
