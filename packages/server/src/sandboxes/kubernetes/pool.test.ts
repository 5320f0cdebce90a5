import { afterAll, describe, expect, test } from 'vitest';
import { neutralSpec } from '../pool/member.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import {
  testCluster,
  testClusterIsMissing,
  type TestCluster,
} from '../../testing/kubernetes/test-cluster.ts';
import { poolContract } from '../../testing/pool-contract.ts';
import { podProfile } from '../../testing/kubernetes/pod-plan.ts';

describe.skipIf(testClusterIsMissing !== null)(
  'kubernetes (root, bwrap, openssl or nftables is missing)',
  () => {
    let cluster: TestCluster | null = null;
    afterAll(() => cluster?.close());

    poolContract('kubernetes, pods as processes', async () => {
      const made = await testCluster();
      cluster = made;
      return {
        driver: made.driver,
        spec: fakeSpec,
        profile: {},
        hasDoor: true,
        cleanUp: () => Promise.resolve(),
      };
    });

    test('a claim asked for nothing that the Role does not allow: no patch, no update', () => {
      expect(cluster!.server.asked.filter((what) => !cluster!.server.allowed.has(what))).toEqual([]);
      expect(cluster!.server.uncovered).toEqual([]);
    });

    test('another worker sees the pool where the keeper sees the run; what others removed is forgotten', async () => {
      const own = await testCluster();
      const other = await own.newDriver();
      const soon = AbortSignal.timeout(120_000);
      const { id, limits } = fakeSpec();
      const idle = await own.driver.create(neutralSpec(id, 'pool.w-1.7', podProfile(), limits), soon);
      const given = await own.driver.assign(idle.ref, fakeSpec({ runId: 'r-claims' }), soon);
      expect(given).not.toBeNull();
      const runIdOf = async (driver: typeof other): Promise<string | undefined> =>
        (await driver.list()).find((one) => one.id === id)?.runId;
      expect(await runIdOf(own.driver)).toBe('r-claims');
      expect(await runIdOf(other)).toBe('pool.w-1.7');
      // Given once, whoever asks.
      expect(await other.assign(idle.ref, fakeSpec({ runId: 'r-other', epoch: 9 }), soon)).toBeNull();
      await other.destroy(id);
      await expect.poll(() => own.driver.list()).toEqual([]);
      await own.close();
    });

    test('a sandbox that was made for a run is never given to another', async () => {
      const apart = await testCluster();
      const soon = AbortSignal.timeout(120_000);
      const own = await apart.driver.create(fakeSpec({ runId: 'r-a', epoch: 1 }), soon);
      expect(await apart.driver.assign(own.ref, fakeSpec({ runId: 'r-b', epoch: 2 }), soon)).toBeNull();
      await apart.close();
    });
  },
);
