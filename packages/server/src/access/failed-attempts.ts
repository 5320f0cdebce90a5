import type { Clock } from '../domain/ports/clock.ts';
import { BerthError } from '../domain/errors/index.ts';

/** Wrong credentials from one address within the window before it has to wait. */
const mostFailures = 20;
const windowMs = 60_000;
/** Addresses remembered; the longest untouched is forgotten first. */
const mostAddresses = 10_000;

/** Counts wrong credentials by address, in bounded memory, for this process alone. */
export interface FailedAttempts {
  /** @throws BerthError `TOO_MANY_ATTEMPTS`, with `retryAfterS` in its details */
  check(address: string): void;
  add(address: string): void;
}

export function failedAttempts(clock: Clock): FailedAttempts {
  const byAddress = new Map<string, { count: number; readonly sinceMs: number }>();
  const current = (address: string) => {
    const entry = byAddress.get(address);
    return entry === undefined || clock.monotonicMs() - entry.sinceMs >= windowMs ? null : entry;
  };
  return {
    check(address) {
      const entry = current(networkOf(address));
      if (entry === null || entry.count < mostFailures) return;
      const retryAfterS = Math.max(1, Math.ceil((entry.sinceMs + windowMs - clock.monotonicMs()) / 1_000));
      throw new BerthError('TOO_MANY_ATTEMPTS', undefined, { details: { retryAfterS } });
    },
    add(address) {
      const network = networkOf(address);
      const entry = current(network) ?? { count: 0, sinceMs: clock.monotonicMs() };
      entry.count += 1;
      byAddress.delete(network);
      byAddress.set(network, entry);
      if (byAddress.size > mostAddresses) byAddress.delete(byAddress.keys().next().value ?? '');
    },
  };
}

/** Whoever has one IPv6 address has its whole /64: they count together. Pure. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [left = '', right] = plain.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
