import { bubblewrapIsMissing, testDriver } from '../../testing/bubblewrap.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { sandboxContract } from '../../testing/sandbox-contract.ts';
import { describe } from 'vitest';

describe.skipIf(bubblewrapIsMissing)('bubblewrap (bwrap is not installed)', () => {
  sandboxContract('bubblewrap', async () => {
    const { driver, cleanUp } = testDriver();
    return await Promise.resolve({ driver, spec: () => fakeSpec(), cleanUp });
  });
});
