import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { podProfile } from '../../testing/kubernetes/pod-plan.ts';
import {
  testCluster,
  testClusterIsMissing,
  type TestCluster,
} from '../../testing/kubernetes/test-cluster.ts';

describe.skipIf(testClusterIsMissing !== null)(
  'what berth doctor proves on a cluster (root, bwrap, openssl or nftables is missing)',
  () => {
    let cluster: TestCluster;
    beforeAll(async () => {
      cluster = await testCluster();
    });
    afterAll(() => cluster?.close());
    const soon = (): AbortSignal => AbortSignal.timeout(120_000);
    const { limits } = fakeSpec();

    test('the network of each node that takes a probe, and leaves nothing', async () => {
      const driver = await cluster.newDriver({
        gate: [{ name: 'metadata', host: '169.254.169.254', port: 80, protocol: 'tcp' }],
      });
      expect(await driver.prove([], soon())).toMatchObject([
        {
          id: 'network-policy',
          state: 'pass',
          sentence: expect.stringMatching(/on the node node-1 .*No other node/) as string,
        },
      ]);
      await expect.poll(() => cluster.server.store.all()).toEqual([]);
      expect(cluster.server.asked.filter((what) => !cluster.server.allowed.has(what))).toEqual([]);
    });

    test('where nobody takes a probe, that nothing was proved', async () => {
      const driver = await cluster.newDriver({
        gate: [{ name: 'metadata', host: '169.254.169.254', port: 80, protocol: 'tcp' }],
      });
      cluster.node.unschedulable = '0/3 nodes are available';
      expect(await driver.prove([], soon())).toMatchObject([{ id: 'network-policy', state: 'warn' }]);
      cluster.node.unschedulable = null;
    });

    test('each profile, by asking what would become of its sandbox', async () => {
      const { kubernetes } = podProfile();
      cluster.server.rules.runtimeClasses = ['gvisor'];
      const named = (name: string, runtimeClass?: string) => ({
        profile: podProfile({
          name,
          kubernetes: { ...kubernetes, ...(runtimeClass === undefined ? {} : { runtimeClass }) },
        }),
        limits,
      });
      const elsewhere = { profile: podProfile({ name: 'local', driver: 'container' }), limits };
      const all = [named('plain'), named('kata', 'kata'), named('gvisor', 'gvisor'), elsewhere];
      const checks = await cluster.driver.prove(all, soon());
      expect(checks.map(({ id, state }) => `${id} ${state}`)).toEqual([
        'profile-plain pass',
        'profile-kata fail',
        'profile-gvisor pass',
        'network-policy skip',
      ]);
      expect(checks[1]!.sentence).toContain('kata');
      expect(checks[2]!.sentence).toContain('handler');
      expect(cluster.server.store.all()).toEqual([]);
    });
  },
);
