import { defineConfig } from 'vitest/config';
import { compileCache } from './packages/server/src/testing/compile-cache.ts';
import LongestFirst from './scripts/longest-first.ts';
import { pureTests } from './scripts/pure-tests.ts';

/** Rooms of pure functions, and tests elsewhere that are alike: they share nothing that one could change for another. */
const pure = [
  'packages/protocol/src/**/*.test.ts',
  'packages/cli/src/output/*.test.ts',
  'packages/server/src/{domain,blueprints,models,secrets}/**/*.test.ts',
  'packages/server/src/config/parse/*.test.ts',
  ...pureTests(import.meta.dirname, ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts']),
];

/** Is run by `npm run test:cluster`, with a cluster. */
const clusterOnly = process.env['KUBECONFIG'] === undefined ? ['e2e/cluster.test.ts'] : [];

/** Beside other tests it keeps their one engine too busy, so it is run alone. */
const byHand = process.argv.some((one) => one.includes('crash-container'))
  ? []
  : ['e2e/crash-container.test.ts'];

export default defineConfig({
  test: {
    // For what tests start: their own modules are compiled by vitest.
    env: compileCache,
    sequence: { sequencer: LongestFirst },
    // One more than the two cores of a small machine: a third of the time a file waits for what it started.
    maxWorkers: 3,
    // Bounds for a hang, not for speed: a loaded machine is slow, and what is slow is not wrong.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: [
            'packages/*/src/**/*.test.ts',
            'e2e/**/*.test.ts',
            'scripts/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', ...pure, ...clusterOnly, ...byHand],
          globalSetup: [
            'packages/server/src/testing/database-server.ts',
            'packages/server/src/testing/podman-server.ts',
          ],
        },
      },
      // In workers that stay: to start one and load its modules takes longer than most of these tests.
      { extends: true, test: { name: 'pure', include: pure, isolate: false } },
    ],
  },
});
