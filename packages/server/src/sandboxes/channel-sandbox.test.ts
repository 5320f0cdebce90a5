import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { sandboxContract } from '../testing/sandbox-contract.ts';

sandboxContract('real sandboxd and runner without isolation', () => {
  const driver = new UnisolatedFakeDriver({
    onEgressStream: (stream) => {
      stream.once('data', () => stream.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
    },
  });
  return Promise.resolve({ driver, spec: () => fakeSpec(), cleanUp: () => driver.destroyAll() });
});
