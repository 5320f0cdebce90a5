import { defineConfig } from 'vitest/config';

// Tests share two cores with PostgreSQL and the sandboxes they start: more workers only make them wait.
export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'e2e/**/*.test.ts',
      'scripts/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    globalSetup: [
      'packages/server/src/testing/database-server.ts',
      'packages/server/src/testing/podman-server.ts',
    ],
    maxWorkers: 2,
    // Bounds for a hang, not for speed: a loaded machine is slow, and what is slow is not wrong.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 45_000 } },
  },
});
