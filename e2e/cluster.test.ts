import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { sandboxProfileSchema } from '../packages/server/src/domain/config/sandboxes.ts';
import { kubernetesFromEnvironment } from '../packages/server/src/sandboxes/kubernetes/index.ts';
import { fakeSpec } from '../packages/server/src/testing/fake-sandbox.ts';
import { poolContract } from '../packages/server/src/testing/pool-contract.ts';
import { sandboxContract } from '../packages/server/src/testing/sandbox-contract.ts';

/** What a run of this suite needs (docs/kubernetes.md); `npm run test:cluster` begins with it. */
const missing = ['KUBECONFIG', 'BERTH_KUBERNETES_NAMESPACE', 'BERTH_TOOLS_IMAGE', 'BERTH_SANDBOX_IMAGE'].find(
  (name) => process.env[name] === undefined,
);

describe.skipIf(missing !== undefined)(
  'a real cluster (KUBECONFIG or a variable of docs/kubernetes.md is missing)',
  () => {
    const home = mkdtempSync(join(tmpdir(), 'berth-cluster-'));
    // Of this run alone: it sees and removes nobody else's pods.
    const installation = `test-${randomUUID().slice(0, 8)}`;
    const env = { ...process.env, BERTH_INSTALLATION: installation };
    const driver = kubernetesFromEnvironment({ home, clock: systemClock, env });
    const profile = sandboxProfileSchema.parse({
      name: 'cluster-test',
      memoryMiB: 512,
      cpus: 1,
      diskMiB: 1024,
      kubernetes: {
        acceptUnprovenNetworkPolicy: process.env['BERTH_ACCEPT_UNPROVEN_NETWORK_POLICY'] === 'true',
        ...(process.env['BERTH_RUNTIME_CLASS'] === undefined
          ? {}
          : { runtimeClass: process.env['BERTH_RUNTIME_CLASS'] }),
      },
    });
    const limits = { ...fakeSpec().limits, memoryBytes: 512 * 1024 ** 2, cpus: 1, diskBytes: 1024 ** 3 };

    afterAll(async () => {
      rmSync(home, { recursive: true, force: true });
      if (driver === null) return;
      const left = await driver.list();
      await Promise.all(left.map(({ id }) => driver.destroy(id)));
    }, 90_000);

    test('the cluster has what the driver needs', async () => {
      const { ok, checks } = await driver!.probe();
      expect(checks.filter(({ state }) => state === 'fail')).toEqual([]);
      expect(ok).toBe(true);
    }, 180_000);

    test('its nodes let a sandbox reach nothing, and it admits the profile', async () => {
      const checks = await driver!.prove!([{ profile, limits }], AbortSignal.timeout(170_000));
      const accepted = profile.kubernetes.acceptUnprovenNetworkPolicy ? ['network-policy'] : [];
      expect(checks.filter(({ id, state }) => state === 'fail' && !accepted.includes(id))).toEqual([]);
      expect(checks.map(({ id }) => id)).toEqual(['profile-cluster-test', 'network-policy']);
    }, 180_000);

    const { name: _name, pool: _pool, ...content } = profile;
    poolContract('kubernetes, a real cluster', async () => ({
      driver: driver!,
      spec: (overrides) => fakeSpec({ profile, limits, ...overrides }),
      profile: content,
      hasDoor: true,
      cleanUp: async () => undefined,
    }));

    sandboxContract('kubernetes, a real cluster', async () => ({
      driver: driver!,
      spec: () => fakeSpec({ profile, limits }),
      cleanUp: async () => undefined,
    }));
  },
);
