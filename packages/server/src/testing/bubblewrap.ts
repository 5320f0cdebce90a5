import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BubblewrapDriver, type BubblewrapOptions } from '../sandboxes/bubblewrap/index.ts';
import { testClock as systemClock } from './test-clock.ts';

/** Whether bubblewrap is here at all; suites that need it name it as the missing part. */
export const bubblewrapIsMissing = ((): boolean => {
  try {
    execFileSync('bwrap', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
})();

/** A driver with a state directory of its own, and what removes both. */
export function testDriver(options: Partial<BubblewrapOptions> = {}): {
  readonly driver: BubblewrapDriver;
  readonly stateDirectory: string;
  readonly cleanUp: () => Promise<void>;
} {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'berth-bw-'));
  // Sandboxes of root have other uids, which must be able to walk through.
  chmodSync(stateDirectory, 0o711);
  const driver = new BubblewrapDriver({ stateDirectory, clock: systemClock, ...options });
  return {
    driver,
    stateDirectory,
    cleanUp: async () => {
      for (const { id } of await driver.list()) await driver.destroy(id);
      rmSync(stateDirectory, { recursive: true, force: true });
    },
  };
}
