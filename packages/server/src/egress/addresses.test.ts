import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAddress } from './addresses.ts';
import { contains } from './contains.ts';
import { compileRanges, loopbackRanges, neverReachedRanges } from './special-ranges.ts';

test.each([
  ['10.0.0.1', '10.0.0.1', []],
  ['::ffff:10.0.0.1', '10.0.0.1', []],
  ['0:0:0:0:0:FFFF:0A00:0001', '10.0.0.1', []],
  ['2606:4700::1111', '2606:4700::1111', []],
  ['::1', '::1', []],
  ['::10.0.0.1', '::a00:1', ['10.0.0.1']],
  ['::ffff:0:10.0.0.1', '::ffff:0:a00:1', ['10.0.0.1']],
  ['64:ff9b::10.0.0.1', '64:ff9b::a00:1', ['10.0.0.1']],
  ['64:ff9b:1:a00:0:100::', '64:ff9b:1:a00:0:100::', ['0.0.0.0', '10.0.0.1']],
  ['2002:a00:1::5', '2002:a00:1::5', ['10.0.0.1']],
  [
    '2001:0:4136:e378:8000:63bf:f5ff:fffe',
    '2001:0:4136:e378:8000:63bf:f5ff:fffe',
    ['65.54.227.120', '10.0.0.1'],
  ],
  ['2606:4700::5efe:10.0.0.1', '2606:4700::5efe:a00:1', ['10.0.0.1']],
])('%s is %s and reaches %j', (text, address, embedded) => {
  expect(readAddress(text)).toEqual({ address, embedded });
});

test.each([
  '127.1',
  '0x7f.0.0.1',
  '2130706433',
  '010.0.0.1',
  'fe80::1%eth0',
  'name',
  '',
  '1.2.3.4.5',
  '[::1]',
])('%j is no address that is written plainly', (text) => {
  expect(readAddress(text)).toBeNull();
});

const byte = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(byte, byte, byte, byte);
const hex = (high: number, low: number) => ((high << 8) | low).toString(16);

/** Every way of writing one IPv4 address into an IPv6 address. */
function wraps([a, b, c, d]: readonly [number, number, number, number]): string[] {
  const [high, low] = [hex(a, b), hex(c, d)];
  return [
    `::ffff:${a}.${b}.${c}.${d}`,
    `::ffff:${high}:${low}`,
    `::ffff:0:${high}:${low}`,
    `64:ff9b::${a}.${b}.${c}.${d}`,
    `64:ff9b:1::${high}:${low}`,
    `2002:${high}:${low}::1`,
    `2001:0:808:808:0:0:${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}`,
    `2001:0:${high}:${low}:0:0:f7f7:f7f7`,
    `2606:4700::5efe:${high}:${low}`,
  ];
}

test('a range that is refused is refused in every spelling of each of its addresses', () => {
  const ranges = ['10.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '1.2.3.4/32'];
  const check = compileRanges(ranges);
  const inside = fc.oneof(
    fc.tuple(fc.constant(10), byte, byte, byte),
    fc.tuple(fc.constant(127), byte, byte, byte),
    fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
    fc.constant([1, 2, 3, 4] as [number, number, number, number]),
  );
  fc.assert(
    fc.property(inside, (address) => {
      for (const text of wraps(address)) expect([text, check(text)?.cidr]).not.toContain(undefined);
      if (address[0] === 127) for (const text of wraps(address)) expect(loopbackRanges(text)).not.toBeNull();
      if (address[0] === 169)
        for (const text of wraps(address)) expect(neverReachedRanges(text)).not.toBeNull();
    }),
  );
});

test('a range holds an address by what it reaches, never by the number it is wrapped in', () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, fc.tuple(fc.constant(10), byte, byte, byte)), (address) => {
      const isPrivate = address[0] === 10;
      for (const text of wraps(address).slice(0, 6)) {
        if (text.startsWith('64:ff9b:1')) continue;
        expect([text, contains('10.0.0.0/8', text)]).toEqual([text, isPrivate]);
      }
    }),
  );
  // Opening all of NAT64 opens the public world behind it and nothing that lies inside.
  expect(contains('64:ff9b::/96', '64:ff9b::8.8.8.8')).toBe(true);
  expect(contains('64:ff9b::/96', '64:ff9b::10.0.0.1')).toBe(false);
  expect(contains('64:ff9b::/96', '64:ff9b::169.254.169.254')).toBe(false);
  expect(contains('2002::/16', '2002:7f00:1::')).toBe(false);
  expect(contains('::/0', '2606:4700::1111')).toBe(true);
  expect(contains('::/0', '10.0.0.1')).toBe(false);
  expect(contains('fd00::/8', 'fd00::1')).toBe(true);
  expect(contains('10.0.0.0/8', 'not an address')).toBe(false);
});
