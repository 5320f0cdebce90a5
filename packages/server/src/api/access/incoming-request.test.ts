import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { clientAddress, trustIn } from './incoming-request.ts';

const isTrusted = trustIn(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7', 'nonsense', '10.0.0.0/99']);

test('forwarded addresses are believed as far as trusted proxies wrote them', () => {
  for (const [peer, forwarded, address] of [
    ['203.0.113.1', '198.51.100.9', '203.0.113.1'],
    ['10.0.0.1', '198.51.100.9', '198.51.100.9'],
    ['10.0.0.1', '198.51.100.9, 10.0.0.2', '198.51.100.9'],
    // The client wrote the first two itself.
    ['10.0.0.1', '127.0.0.1, 10.9.9.9, 198.51.100.9, 192.0.2.7', '198.51.100.9'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', 'unknown', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.9:4711', '198.51.100.9'],
    ['2001:db8::1', '[2001:db9::5]:443', '2001:db9::5'],
    ['10.0.0.1', '::ffff:198.51.100.9', '198.51.100.9'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ] as const) {
    expect(clientAddress(peer, forwarded, isTrusted)).toBe(address);
  }
});

test('a stranger’s headers never change a stranger’s address', () => {
  fc.assert(
    fc.property(
      fc.ipV4().filter((address) => !isTrusted(address)),
      fc.string(),
      (peer, forwarded) => {
        expect(clientAddress(peer, forwarded, isTrusted)).toBe(peer);
      },
    ),
  );
});

test('nothing that is no address is trusted', () => {
  for (const address of ['nonsense', '', '11.0.0.1', '::1', '10.0.0', 'localhost']) {
    expect(isTrusted(address)).toBe(false);
  }
});
