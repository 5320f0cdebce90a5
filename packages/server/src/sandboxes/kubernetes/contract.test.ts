import { describe, expect, test } from 'vitest';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import {
  testCluster,
  testClusterIsMissing,
  type TestCluster,
} from '../../testing/kubernetes/test-cluster.ts';
import { sandboxContract } from '../../testing/sandbox-contract.ts';

describe.skipIf(testClusterIsMissing !== null)(
  'kubernetes (root, bwrap, openssl or nftables is missing)',
  () => {
    let cluster: TestCluster | null = null;

    sandboxContract('kubernetes, pods as processes', async () => {
      const made = await testCluster();
      cluster = made;
      return { driver: made.driver, spec: () => fakeSpec(), cleanUp: () => made.close() };
    });

    test('asked for nothing that the Role does not allow, and nothing that no recording covers', () => {
      expect(cluster!.server.uncovered).toEqual([]);
      expect(cluster!.server.asked.filter((what) => !cluster!.server.allowed.has(what))).toEqual([]);
    });
  },
);
