import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { podmanEnvironment } from './podman-engine.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Directory of the run's own Podman; the first test that needs it makes it. */
    podmanRoot: string;
  }
}

/** vitest's global set-up: names the place of the one Podman of the whole run, and takes it away at the end. */
export default function setup(project: TestProject): () => Promise<void> {
  const root = join(tmpdir(), `berth-podman-${process.pid}`);
  project.provide('podmanRoot', root);
  return async () => {
    if (!existsSync(root)) return;
    const options = { env: podmanEnvironment(root), stdio: 'ignore' } as const;
    try {
      execFileSync('podman', ['rm', '--all', '--force', '--time', '0'], options);
    } catch {
      // What cannot be removed in order is removed with its directory.
    }
    try {
      process.kill(Number(readFileSync(join(root, 'service.pid'), 'utf8')), 'SIGTERM');
    } catch {
      // It never started.
    }
    try {
      // The storage is mounted on itself while it is used.
      execFileSync('umount', ['--lazy', join(root, 'storage', 'overlay')], { stdio: 'ignore' });
    } catch {
      // Another storage driver.
    }
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  };
}
