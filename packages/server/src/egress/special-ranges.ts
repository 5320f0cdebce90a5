import { BlockList, isIP } from 'node:net';
import type { EgressBounds } from '../domain/egress.ts';
import { readAddress } from './addresses.ts';

/**
 * Address ranges that are no part of the public internet, by what they are. Sources: the IANA special-purpose
 * address registries (RFC 6890 and its updates) and, for the metadata service of one cloud, its manual.
 */
const specialRanges: ReadonlyArray<readonly [cidr: string, name: string]> = [
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'carrier NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local, cloud metadata'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'protocol assignments'],
  ['192.0.2.0/24', 'TEST-NET-1'],
  ['192.88.99.0/24', '6to4 relays'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarks'],
  ['198.51.100.0/24', 'TEST-NET-2'],
  ['203.0.113.0/24', 'TEST-NET-3'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved, broadcast'],
  ['168.63.129.16/32', 'cloud platform services'],
  ['::/96', 'unspecified, loopback, IPv4-compatible'],
  ['::ffff:0:0/96', 'IPv4-mapped'],
  ['::ffff:0:0:0/96', 'IPv4-translated'],
  ['64:ff9b::/96', 'NAT64'],
  ['64:ff9b:1::/48', 'NAT64'],
  ['100::/64', 'discard'],
  ['2001::/23', 'protocol assignments, Teredo'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'segment routing'],
  ['fc00::/7', 'private, cloud metadata'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
];

/** The default of the setting `egress.refusedRanges`: every range that is not public. */
export const defaultRefusedRanges: readonly string[] = specialRanges.map(([cidr]) => cidr);

/**
 * Refused whatever a rule says: no registry lives on them, and the metadata services of clouds do (the single
 * addresses are those that their manuals name outside the link-local range).
 */
const neverReached = [
  '169.254.0.0/16',
  '168.63.129.16/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '0.0.0.0/8',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  'fe80::/10',
  'ff00::/8',
];

export type RangeCheck = (address: string) => { readonly cidr: string; readonly name: string } | null;

/**
 * Compiles a list of CIDR ranges into a check that names the range an address lies in, or null.
 * @throws RangeError for an entry that is no CIDR range.
 */
export function compileRanges(cidrs: readonly string[]): RangeCheck {
  const names = new Map(specialRanges);
  const compiled = cidrs.map((cidr) => {
    const [address, bits] = cidr.split('/');
    const version = isIP(address ?? '');
    const prefix = Number(bits);
    if (version === 0 || !/^\d+$/.test(bits ?? '') || prefix > (version === 4 ? 32 : 128)) {
      throw new RangeError(`"${cidr}" in egress.refusedRanges is not a range such as 10.0.0.0/8`);
    }
    const list = new BlockList();
    list.addSubnet(address!, prefix, version === 4 ? 'ipv4' : 'ipv6');
    return { cidr, name: names.get(cidr) ?? 'configured', version, list };
  });
  return (text) => {
    const read = readAddress(text);
    // Something that is no address is never connected to.
    if (read === null) return { cidr: text, name: 'not an address' };
    // The address itself first, so that the range that is named is the one people see in it.
    const forms = [read.address, ...read.embedded];
    // Mapped addresses are the IPv4 address; a list that names the mapped range means the spelling too.
    if (isIP(text) === 6 && isIP(read.address) === 4) forms.push(text);
    for (const form of forms) {
      const version = isIP(form);
      const family = version === 4 ? 'ipv4' : 'ipv6';
      const range = compiled.find((one) => one.version === version && one.list.check(form, family));
      if (range !== undefined) return { cidr: range.cidr, name: range.name };
    }
    return null;
  };
}

export const neverReachedRanges: RangeCheck = compileRanges(neverReached);
/** The worker itself; no setting opens it to names. */
export const loopbackCidrs: readonly string[] = ['127.0.0.0/8', '::1/128', '0.0.0.0/8', '::/128'];
export const loopbackRanges: RangeCheck = compileRanges(loopbackCidrs);
/** Ranges that names must not resolve into. `own`: of the worker's start, for where the configuration has none. */
export function rangesOf(
  bounds: EgressBounds,
  own: readonly string[] = defaultRefusedRanges,
): readonly string[] {
  return bounds.refusedRanges === undefined ? own : [...bounds.refusedRanges, ...loopbackCidrs];
}

/** Everything that is not public. */
export const isSpecial: RangeCheck = compileRanges(defaultRefusedRanges);
