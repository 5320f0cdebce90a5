import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { configSchema } from '../../domain/config/index.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { readCookie } from './cookies.ts';
import { groupsOf, oidcIdentity, plainEmail } from './identity-claims.ts';
import { assertListenAllowed, isLoopbackListen, ownOrigin, placeOf } from './place.ts';
import { returnPath } from './return-path.ts';
import { AddressThrottle } from './throttle.ts';

test('a return path is a path of this server, whatever was asked for', () => {
  expect(returnPath('/runs/r-1?tab=diff#e=2')).toBe('/runs/r-1?tab=diff#e=2');
  expect(returnPath('/a/../b')).toBe('/b');
  for (const bad of [
    undefined,
    '',
    'runs',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/\t/evil.example',
    '/\n/evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    '/%0d%0aset-cookie:x\r\n',
    `/${'x'.repeat(2_001)}`,
  ]) {
    expect(returnPath(bad)).toBe('/');
  }
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('/', '\\', '.', '..', ':', '@', 'evil.example', '\t', '%2f', '?', '#'))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      for (const wanted of [text, `/${text}`, `//${text}`]) {
        const path = returnPath(wanted);
        const url = new URL(path, 'https://berth.example.com');
        expect(url.origin).toBe('https://berth.example.com');
        expect(path).toMatch(/^\/(?![/\\])[\x21-\x7e]*$/);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('Berth does not listen where others reach it without a way to sign in', () => {
  const parse = (input: object) => configSchema.parse({ version: 1, ...input });
  const allowed = (input: object): string[] => {
    const { server, signIn } = parse(input);
    try {
      assertListenAllowed(server, signIn);
      return [];
    } catch (error) {
      expect(error).toMatchObject({ code: 'LISTEN_REFUSED' });
      return (error as { details: { missing: string[] } }).details.missing;
    }
  };
  const oidc = { issuer: 'https://idp.example.com', clientId: 'x' };
  const publicUrl = 'https://berth.example.com';
  for (const listen of ['127.0.0.1:7420', 'localhost:1', '[::1]:7420', '127.8.8.8:1']) {
    expect(allowed({ server: { listen } })).toEqual([]);
  }
  for (const listen of [
    '0.0.0.0:7420',
    '[::]:7420',
    '10.0.0.5:7420',
    'localhost.evil.example:1',
    '127.0.0.1.nip.io:1',
  ]) {
    expect(allowed({ server: { listen } })).toHaveLength(2);
    expect(allowed({ server: { listen, publicUrl } })).toHaveLength(1);
    expect(
      allowed({ server: { listen, publicUrl: 'http://berth.example.com' }, signIn: { oidc } }),
    ).toHaveLength(1);
    expect(allowed({ server: { listen, publicUrl }, signIn: { oidc } })).toEqual([]);
  }
  expect(isLoopbackListen('0.0.0.0:1')).toBe(false);
});

test('a host is ours or it is nobody’s', () => {
  const server = configSchema.parse({
    version: 1,
    server: { publicUrl: 'https://berth.example.com:8443/x' },
  }).server;
  const place = placeOf(server);
  expect(ownOrigin(place, 'berth.example.com:8443')).toBe('https://berth.example.com:8443');
  expect(ownOrigin(place, 'localhost:7420')).toBe('http://localhost:7420');
  expect(ownOrigin(placeOf(server, '0.0.0.0:7420'), 'localhost:7420')).toBeNull();
  for (const port of ['65536', '99999', '00000']) {
    expect(() => ownOrigin(place, `127.0.0.1:${port}`)).not.toThrow();
    expect(() => ownOrigin(place, `[::1]:${port}`)).not.toThrow();
  }
  expect(ownOrigin(place, '127.0.0.1:65536')).toBeNull();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (host) => {
      const origin = ownOrigin(place, host);
      expect(
        origin === null ||
          /^(https:\/\/berth\.example\.com:8443|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)$/.test(
            origin,
          ),
      ).toBe(true);
    }),
  );
});

test('cookies are read whole, and doubled ones are not guessed at', () => {
  expect(readCookie('a=1; berth=x=y; c=2', 'berth')).toEqual({ value: 'x=y' });
  expect(readCookie('a=1;berth=x', 'berth')).toEqual({ value: 'x' });
  expect(readCookie('berth=x; berth=x', 'berth')).toBe('twice');
  expect(readCookie('xberth=1; BERTH=2', 'berth')).toBe('none');
  expect(readCookie(undefined, 'berth')).toBe('none');
});

test('only a plain address that the provider vouches for is an id', () => {
  expect(plainEmail('Anna@Example.com')).toBe('anna@example.com');
  for (const bad of [
    'anna',
    'a b@example.com',
    'a@b@c',
    'mar\u212a@example.com',
    'a@exämple.com',
    '@x',
    'a@',
    7,
    null,
  ]) {
    expect(plainEmail(bad)).toBeNull();
  }
  const claims = { sub: 's', email: 'Anna@Example.com', email_verified: 'true' };
  expect(oidcIdentity('https://idp.example.com/realms/x', claims, 'groups').id).toBe('anna@example.com');
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'grapheme', minLength: 1 }),
      (one, other) => {
        const id = (sub: string) => oidcIdentity('https://idp.example.com', { sub }, 'groups').id;
        expect(id(one)).toMatch(/^[^\s@]+@idp\.example\.com$/);
        expect(id(one) === id(other)).toBe(one === other);
      },
    ),
  );
});

test('texts of a hostile provider are made such that the database takes them', () => {
  expect(groupsOf({ groups: ['a\ud800', 'b\0'] }, 'groups')).toEqual(['a\ufffd']);
  const claims = { sub: 's', name: 'x\udfff\0\n' };
  expect(oidcIdentity('https://idp.example.com', claims, 'groups').name).toBe('x\ufffd');
});

test('groups are found in every usual shape, bounded, and never in what objects inherit', () => {
  expect(groupsOf({ groups: ['a', 'b', 'a', 7, null, ''] }, 'groups')).toEqual(['a', 'b']);
  expect(groupsOf({ groups: [{ name: 'a' }, { value: 'b' }] }, 'groups')).toEqual(['a', 'b']);
  expect(groupsOf({ groups: 'a, b c' }, 'groups')).toEqual(['a', 'b', 'c']);
  expect(groupsOf({ realm_access: { roles: ['a'] } }, 'realm_access.roles')).toEqual(['a']);
  expect(groupsOf({ 'https://x.example/groups': ['a'] }, 'https://x.example/groups')).toEqual(['a']);
  for (const claim of ['constructor', '__proto__', 'toString.name', 'groups.length']) {
    expect(groupsOf({ groups: 7 }, claim)).toEqual([]);
  }
  expect(groupsOf({ groups: Array.from({ length: 9_999 }, (_, n) => `g${n}`) }, 'groups')).toHaveLength(500);
});

test('the throttle forgets in time, counts a customer’s IPv6 network as one, and stays small', async () => {
  const clock = new ManualClock();
  const throttle = new AddressThrottle(clock, 3);
  for (const address of ['2001:db8::1', '2001:db8:0:0:5::2', '2001:0db8::9']) throttle.count(address);
  expect(() => throttle.check('2001:db8::ffff')).toThrow(
    expect.objectContaining({ code: 'TOO_MANY_ATTEMPTS' }),
  );
  expect(() => throttle.check('2001:db8:0:1::1')).not.toThrow();
  await clock.advance(5 * 60_000);
  expect(() => throttle.check('2001:db8::1')).not.toThrow();
  for (let n = 0; n < 12_000; n += 1) throttle.count(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  expect(throttle.size).toBe(10_000);
});
