import { networkInterfaces } from 'node:os';
import type { Clock } from '../domain/ports/clock.ts';
import { readAddress } from './addresses.ts';
import { loopbackRanges } from './special-ranges.ts';

/** Interfaces come and go (a VPN, a bridge of a container engine); asking for them takes some 0.1 ms. */
const refreshMs = 5_000;

/** The addresses of this machine's interfaces, canonical. Loopback is left out: it has ranges of its own. */
export function readOwnAddresses(
  interfaces: typeof networkInterfaces = networkInterfaces,
): ReadonlySet<string> {
  const all = Object.values(interfaces()).flatMap((one) => one ?? []);
  return new Set(
    all
      .map(({ address }) => readAddress(address.split('%', 1)[0] ?? '')?.address ?? address)
      .filter((address) => loopbackRanges(address) === null),
  );
}

/** The same, asked again every five seconds. */
export function watchOwnAddresses(clock: Pick<Clock, 'monotonicMs'>): () => ReadonlySet<string> {
  let known: ReadonlySet<string> = new Set();
  let readMs = -Infinity;
  return () => {
    const now = clock.monotonicMs();
    if (now - readMs < refreshMs) return known;
    readMs = now;
    known = readOwnAddresses();
    return known;
  };
}

/** Whether a packet to `address` could arrive at one of `own`, also by an IPv4 address that is written inside it. Pure. */
export function isOwnAddress(own: ReadonlySet<string>, address: string): boolean {
  const read = readAddress(address);
  return read !== null && [read.address, ...read.embedded].some((form) => own.has(form));
}
