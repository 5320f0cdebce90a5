import { join } from 'node:path';
import type { Clock } from '../domain/ports/clock.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { BubblewrapDriver, defaultStateDirectory } from './bubblewrap/index.ts';
import { ContainerDriver } from './container/index.ts';
import { DriverRegistry } from './driver-registry.ts';

/** The drivers that this machine may offer, as one; each refuses with a code where it cannot work. */
export function chooseDriver(options: {
  readonly home: string;
  readonly clock: Clock;
  /** Names the container engine (`DOCKER_HOST`, `CONTAINER_HOST`). */
  readonly env: Readonly<Record<string, string | undefined>>;
}): SandboxDriver {
  const { clock, env } = options;
  const stateDirectory = defaultStateDirectory(options.home);
  return new DriverRegistry(
    [
      new ContainerDriver({ stateDirectory: join(stateDirectory, 'containers'), clock, env }),
      new BubblewrapDriver({ stateDirectory, clock }),
    ],
    clock,
  );
}
