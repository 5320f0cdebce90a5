import { describe } from 'vitest';
import { bubblewrapIsMissing, testDriver } from '../testing/bubblewrap.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { pauseContract } from '../testing/pause-contract.ts';
import { imageProfile, podmanIsMissing, testContainerDriver } from '../testing/podman.ts';
import { testClock } from '../testing/test-clock.ts';
import { BubblewrapDriver } from './bubblewrap/index.ts';
import { ContainerDriver } from './container/index.ts';

pauseContract('fake', async () => {
  const driver = new UnisolatedFakeDriver();
  return { driver, spec: fakeSpec, cleanUp: () => driver.destroyAll() };
});

describe.skipIf(bubblewrapIsMissing)('bubblewrap (bwrap is not installed)', () => {
  pauseContract('bubblewrap', async () => {
    const { driver, stateDirectory, cleanUp } = testDriver();
    const another = (): BubblewrapDriver => new BubblewrapDriver({ stateDirectory, clock: testClock });
    return { driver, another, spec: fakeSpec, cleanUp };
  });
});

describe.skipIf(podmanIsMissing)('container (Podman, busybox-static or root is missing)', () => {
  pauseContract('container', async () => {
    const { driver, stateDirectory, engine, cleanUp } = await testContainerDriver();
    const env = { DOCKER_HOST: `unix://${engine}` };
    const another = (): ContainerDriver => new ContainerDriver({ stateDirectory, clock: testClock, env });
    return { driver, another, spec: () => fakeSpec({ profile: imageProfile() }), cleanUp };
  });
});
