import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { socketPathOf as serverRule } from '../../server/src/api/socket-path.ts';
import { socketPathOf } from './socket-path.ts';

test('client and server look for the socket in the same place, which always fits', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.nat(70_000), (name, uid) => {
      const home = `/home/${name.replaceAll('\0', '')}`;
      expect(socketPathOf(home, uid)).toBe(serverRule(home, uid));
      expect(Buffer.byteLength(socketPathOf(home, uid))).toBeLessThanOrEqual(100);
    }),
  );
});
