import { isIPv6 } from 'node:net';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';

const windowMs = 5 * 60_000;
/** Addresses remembered; the one heard of longest ago is forgotten first. */
const mostAddresses = 10_000;

/**
 * Slows down whoever tries: secrets of 256 bits are not to be guessed, but each attempt costs a look into the
 * database and a line in the record of acts. In memory, of each replica for itself.
 */
export class AddressThrottle {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #counted = new Map<string, { count: number; sinceMs: number }>();

  /** @param most what one address may do within 5 minutes */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** @throws BerthError `SIGN_IN_THROTTLED` when this address has done too much of late */
  check(address: string): void {
    const found = this.#counted.get(networkOf(address));
    if (found === undefined || found.count < this.#most) return;
    const restMs = found.sinceMs + windowMs - this.#clock.monotonicMs();
    if (restMs <= 0) return;
    throw new BerthError('SIGN_IN_THROTTLED', undefined, {
      details: { retryAfterSeconds: Math.ceil(restMs / 1_000) },
    });
  }

  /** Counts one more, unless it is too much already: then it throws as `check` does. */
  count(address: string): void {
    this.check(address);
    const key = networkOf(address);
    const nowMs = this.#clock.monotonicMs();
    const found = this.#counted.get(key);
    const isOld = found === undefined || found.sinceMs + windowMs <= nowMs;
    this.#counted.delete(key);
    this.#counted.set(key, isOld ? { count: 1, sinceMs: nowMs } : { ...found, count: found.count + 1 });
    const oldest = this.#counted.keys().next();
    if (this.#counted.size > mostAddresses && oldest.done !== true) this.#counted.delete(oldest.value);
  }

  /** Addresses remembered now. */
  get size(): number {
    return this.#counted.size;
  }
}

/** An IPv6 customer holds at least a /64: its addresses count as one. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
