import { describe, expect, test } from 'vitest';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { testCluster, testClusterIsMissing } from '../../testing/kubernetes/test-cluster.ts';
import { sandboxContract } from '../../testing/sandbox-contract.ts';

if (testClusterIsMissing === null) {
  sandboxContract('kubernetes, pods as processes', async () => {
    const cluster = await testCluster();
    return {
      driver: cluster.driver,
      spec: () => fakeSpec(),
      cleanUp: async () => {
        expect(cluster.server.uncovered).toEqual([]);
        expect(cluster.server.asked.filter((what) => !cluster.server.allowed.has(what))).toEqual([]);
        await cluster.close();
      },
    };
  });
} else {
  describe('kubernetes, pods as processes', () => {
    test.skip(`the sandbox contract: ${testClusterIsMissing} is missing`, () => undefined);
  });
}
