import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { sandboxProfileSchema, type SandboxProfile } from '../domain/config/sandboxes.ts';
import { ContainerDriver, type ContainerOptions } from '../sandboxes/container/index.ts';
import { podmanSocket, testImages } from './podman-engine.ts';
import { testClock } from './test-clock.ts';

export { testImages };

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

/** A profile that asks for an image, and whatever else. */
export function imageProfile(more: Partial<SandboxProfile> = {}): SandboxProfile {
  return sandboxProfileSchema.parse({
    name: 'test',
    driver: 'container',
    image: testImages.debian,
    ...more,
  });
}

/** A container driver on the run's Podman with a state directory of its own, and what removes both. */
export async function testContainerDriver(options: Partial<ContainerOptions> = {}): Promise<{
  readonly driver: ContainerDriver;
  readonly stateDirectory: string;
  readonly engine: string;
  readonly cleanUp: () => Promise<void>;
}> {
  const engine = await testEngine();
  const stateDirectory = mkdtempSync(join(tmpdir(), 'berth-ct-'));
  // Sandboxes have other uids, which must be able to walk through.
  chmodSync(stateDirectory, 0o711);
  const driver = new ContainerDriver({
    stateDirectory,
    clock: testClock,
    env: { DOCKER_HOST: `unix://${engine}` },
    // Made once for the whole run.
    toolsDirectory: join(inject('podmanRoot'), 'tools'),
    ...options,
  });
  return {
    driver,
    stateDirectory,
    engine,
    cleanUp: async () => {
      for (const { id } of await driver.list()) await driver.destroy(id);
      rmSync(stateDirectory, { recursive: true, force: true });
    },
  };
}
