import { expect, test } from 'vitest';
import { compileRanges, defaultRefusedRanges } from './special-ranges.ts';

const check = compileRanges(defaultRefusedRanges);

test.each([
  ['0.0.0.0', 'this network'],
  ['10.1.2.3', 'private'],
  ['172.31.0.1', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'carrier NAT'],
  ['127.0.0.1', 'loopback'],
  ['169.254.169.254', 'link-local, cloud metadata'],
  ['192.0.2.1', 'TEST-NET-1'],
  ['198.51.100.7', 'TEST-NET-2'],
  ['203.0.113.80', 'TEST-NET-3'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'reserved, broadcast'],
  ['::1', 'unspecified, loopback, IPv4-compatible'],
  ['::', 'unspecified, loopback, IPv4-compatible'],
  ['fe80::1', 'link-local'],
  ['fd00:ec2::254', 'private, cloud metadata'],
  ['ff02::1', 'multicast'],
  ['64:ff9b::a00:1', 'NAT64'],
  ['2002:7f00:1::', '6to4'],
  ['2001:0:4136:e378::', 'protocol assignments, Teredo'],
  ['not an address', 'not an address'],
])('%s is refused as %s', (address, name) => {
  expect(check(address)?.name).toBe(name);
});

test.each(['::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:10.0.0.1', '0:0:0:0:0:ffff:a9fe:a9fe'])(
  'the mapped spelling %s is refused, also by a list that only names IPv4 ranges',
  (address) => {
    expect(check(address)).not.toBeNull();
    expect(compileRanges(['127.0.0.0/8', '10.0.0.0/8', '169.254.0.0/16'])(address)).not.toBeNull();
  },
);

test.each(['1.1.1.1', '8.8.8.8', '100.128.0.1', '172.32.0.1', '2606:4700::1111'])(
  '%s is public',
  (address) => {
    expect(check(address)).toBeNull();
  },
);

test('a setting that is no range is refused with its text', () => {
  for (const bad of ['10.0.0.0', '10.0.0.0/33', 'example.org/8', '::/129', '10.0.0.0/']) {
    expect(() => compileRanges([bad])).toThrow(bad);
  }
});
