import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execRequest, runToEnd } from '../../testing/exec-helper.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import {
  testCluster,
  testClusterIsMissing,
  type TestCluster,
} from '../../testing/kubernetes/test-cluster.ts';
import { loadCredentials } from './connection.ts';
import type { KubernetesDriver } from './driver.ts';
import { reachByPortForward } from './port-forward.ts';

describe.skipIf(testClusterIsMissing !== null)(
  'port-forward (root, bwrap, openssl or nftables is missing)',
  () => {
    let cluster: TestCluster;
    let outside: KubernetesDriver;

    beforeAll(async () => {
      cluster = await testCluster();
      const credentials = await loadCredentials(cluster.server.kubeconfig);
      const reach = reachByPortForward(credentials, cluster.server.namespace);
      outside = await cluster.newDriver({ reach, isOutside: true });
    });
    afterAll(async () => {
      await cluster?.close();
    });

    test('reaches a sandbox from outside of the cluster, with all that goes through unchanged', async () => {
      cluster.server.allowed.add('create pods/portforward');
      const sandbox = await outside.create(fakeSpec(), AbortSignal.timeout(120_000));
      const stdin = Buffer.alloc(5 * 1024 * 1024, 'berth ');
      const ran = await runToEnd(sandbox, execRequest('sha256sum', { stdin }));
      expect(ran.stdout.toString()).toContain(createHash('sha256').update(stdin).digest('hex'));
      const out = await runToEnd(
        sandbox,
        execRequest('head -c 20000000 /dev/zero', { maxOutputBytes: 20_000_000 }),
      );
      expect(out.stdout.length).toBe(20_000_000);
      await sandbox.destroy();
    });

    test('that is not allowed is said to be', async () => {
      cluster.server.allowed.delete('create pods/portforward');
      const creating = outside.create(fakeSpec(), AbortSignal.timeout(120_000));
      await expect(creating).rejects.toMatchObject({ code: 'SANDBOX_UNREACHABLE' });
      const { ok, checks } = await outside.probe(AbortSignal.timeout(120_000));
      expect(ok).toBe(false);
      expect(checks.find(({ id }) => id === 'cluster-permissions')!.sentence).toContain(
        'create pods/portforward',
      );
    });

    test('is not asked for inside of the cluster, and what is there passes', async () => {
      const { ok, checks } = await cluster.driver.probe(AbortSignal.timeout(120_000));
      expect(checks.map(({ id, state }) => `${id} ${state}`)).toEqual([
        'cluster-dns pass',
        'cluster-clock pass',
        'cluster-permissions pass',
        'pod-security pass',
        'sandbox-admission pass',
        'image-volumes pass',
      ]);
      expect(ok).toBe(true);
      expect(cluster.server.uncovered).toEqual([]);
    });
  },
);
