import { describe } from 'vitest';
import { bubblewrapIsMissing, testDriver } from '../../testing/bubblewrap.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../../testing/fake-sandbox.ts';
import { imageProfile, podmanIsMissing, testContainerDriver } from '../../testing/podman.ts';
import { poolContract } from '../../testing/pool-contract.ts';

poolContract('fake', async () => {
  const driver = new UnisolatedFakeDriver();
  return { driver, spec: fakeSpec, profile: {}, hasDoor: false, cleanUp: () => driver.destroyAll() };
});

describe.skipIf(bubblewrapIsMissing)('bubblewrap (bwrap is not installed)', () => {
  poolContract('bubblewrap', async () => {
    const { driver, cleanUp } = testDriver();
    return { driver, spec: fakeSpec, profile: {}, hasDoor: true, cleanUp };
  });
});

describe.skipIf(podmanIsMissing)('container (Podman, busybox-static or root is missing)', () => {
  poolContract('container', async () => {
    const { driver, cleanUp } = await testContainerDriver();
    return { driver, spec: fakeSpec, profile: imageProfile(), hasDoor: true, cleanUp };
  });
});
