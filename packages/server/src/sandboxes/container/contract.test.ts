import { describe } from 'vitest';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { imageProfile, podmanIsMissing, testContainerDriver } from '../../testing/podman.ts';
import { sandboxContract } from '../../testing/sandbox-contract.ts';

describe.skipIf(podmanIsMissing)('container (Podman, busybox-static or root is missing)', () => {
  sandboxContract('container', async () => {
    const { driver, cleanUp } = await testContainerDriver();
    return { driver, spec: () => fakeSpec({ profile: imageProfile() }), cleanUp };
  });
});
