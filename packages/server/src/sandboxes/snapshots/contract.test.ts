import { describe, expect, test } from 'vitest';
import { bubblewrapIsMissing, testDriver } from '../../testing/bubblewrap.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { testCluster, testClusterIsMissing } from '../../testing/kubernetes/test-cluster.ts';
import { imageProfile, podmanIsMissing, testContainerDriver, testImages } from '../../testing/podman.ts';
import { snapshotContract } from '../../testing/snapshot-contract.ts';

describe.skipIf(bubblewrapIsMissing)('bubblewrap (bwrap is not installed)', () => {
  snapshotContract('bubblewrap', async () => {
    const { driver, cleanUp } = testDriver();
    return await Promise.resolve({ driver, spec: fakeSpec, cleanUp });
  });
});

describe.skipIf(podmanIsMissing)('container (Podman, busybox-static or root is missing)', () => {
  snapshotContract('container, glibc', async () => {
    const { driver, cleanUp } = await testContainerDriver();
    return {
      driver,
      spec: (more) => fakeSpec({ profile: imageProfile(), ...more }),
      otherSpec: () => fakeSpec({ profile: imageProfile({ image: testImages.busybox }) }),
      cleanUp,
    };
  });

  snapshotContract('container, one busybox', async () => {
    const { driver, cleanUp } = await testContainerDriver();
    return {
      driver,
      spec: (more) => fakeSpec({ profile: imageProfile({ image: testImages.busybox }), ...more }),
      cleanUp,
    };
  });
});

describe.skipIf(testClusterIsMissing !== null)(
  'kubernetes (root, bwrap, openssl or nftables is missing)',
  () => {
    const otherImage = 'localhost/other:1';
    snapshotContract('kubernetes, pods as processes', async () => {
      const cluster = await testCluster();
      cluster.node.imageIds.set(otherImage, `docker.io/other@sha256:${'a'.repeat(64)}`);
      return {
        driver: cluster.driver,
        spec: fakeSpec,
        otherSpec: () => fakeSpec({ profile: imageProfile({ driver: 'kubernetes', image: otherImage }) }),
        cleanUp: () => cluster.close(),
      };
    });

    test('a node that does not say which image it runs gives no fingerprint', async () => {
      const cluster = await testCluster();
      try {
        for (const [image, id] of [
          ['localhost/a:1', ''],
          ['localhost/b:1', 'localhost/b:1'],
          ['localhost/c:1', 'sha256:0'],
        ] as const) {
          cluster.node.imageIds.set(image, id);
          const spec = fakeSpec({ profile: imageProfile({ driver: 'kubernetes', image }) });
          const sandbox = await cluster.driver.create(spec, AbortSignal.timeout(120_000));
          expect(await cluster.driver.fingerprint(spec)).toBeNull();
          await sandbox.destroy();
        }
      } finally {
        await cluster.close();
      }
    });
  },
);
