import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { networkOf } from '../failed-attempts.ts';

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

  /** @throws BerthError `TOO_MANY_ATTEMPTS` when this address has done too much of late */
  check(address: string): void {
    const found = this.#counted.get(networkOf(address));
    if (found === undefined || found.count < this.#most) return;
    const restMs = found.sinceMs + windowMs - this.#clock.monotonicMs();
    if (restMs <= 0) return;
    throw new BerthError('TOO_MANY_ATTEMPTS', undefined, {
      details: { retryAfterS: Math.ceil(restMs / 1_000) },
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
