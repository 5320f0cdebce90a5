import type { Clock } from '../domain/ports/clock.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { BubblewrapDriver, defaultStateDirectory } from './bubblewrap/index.ts';

/** The strongest driver that this machine offers. So far there is one; it refuses with a code where it cannot work. */
export function chooseDriver(options: {
  readonly home: string;
  readonly clock: Clock;
  /** As `BubblewrapOptions.authoritySeed`. */
  readonly authoritySeed?: Uint8Array;
}): SandboxDriver {
  const { home, clock, authoritySeed } = options;
  return new BubblewrapDriver({
    stateDirectory: defaultStateDirectory(home),
    clock,
    ...(authoritySeed === undefined ? {} : { authoritySeed }),
  });
}
