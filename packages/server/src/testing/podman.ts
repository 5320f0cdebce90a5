import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { inject } from 'vitest';
import { podmanSocket } from './podman-engine.ts';

export { testImages } from './podman-engine.ts';

/** Whether Podman is here at all; suites that need it name it as the missing part. */
export const podmanIsMissing = ((): boolean => {
  if (process.getuid?.() !== 0) return true;
  try {
    execFileSync('podman', ['--version'], { stdio: 'ignore' });
    // The static one: `ldd` refuses it.
    return !existsSync('/bin/busybox') || spawnSync('ldd', ['/bin/busybox']).status === 0;
  } catch {
    return true;
  }
})();

/** The socket of the run's one Podman, with its test images. */
export function testEngine(): Promise<string> {
  return podmanSocket(inject('podmanRoot'));
}
