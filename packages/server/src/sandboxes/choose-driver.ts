import { join } from 'node:path';
import type { Clock } from '../domain/ports/clock.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { BubblewrapDriver, defaultStateDirectory } from './bubblewrap/index.ts';
import { ContainerDriver } from './container/index.ts';
import { DriverRegistry } from './driver-registry.ts';
import { kubernetesFromEnvironment } from './kubernetes/index.ts';

/** The drivers that this worker may offer, as one, the strongest first; each refuses with a code where it cannot work. */
export function chooseDriver(options: {
  readonly home: string;
  readonly clock: Clock;
  /** Names the container engine (`DOCKER_HOST`, `CONTAINER_HOST`). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The installation's secret from which the authorities of its sandboxes follow. */
  readonly authoritySeed?: Uint8Array;
}): SandboxDriver {
  const { clock, env } = options;
  const seed = options.authoritySeed === undefined ? {} : { authoritySeed: options.authoritySeed };
  const stateDirectory = defaultStateDirectory(options.home);
  const cluster = kubernetesFromEnvironment({ home: options.home, clock, env, ...seed });
  const container = new ContainerDriver({
    stateDirectory: join(stateDirectory, 'containers'),
    clock,
    env,
    ...seed,
  });
  const bubblewrap = new BubblewrapDriver({ stateDirectory, clock, ...seed });
  // Who configured a cluster means it: nothing of a run falls back to the worker's own machine.
  if (cluster !== null) return new DriverRegistry([cluster], clock);
  return new DriverRegistry([container, bubblewrap], clock);
}
