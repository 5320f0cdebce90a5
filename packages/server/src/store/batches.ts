import type { Clock } from '../domain/ports/clock.ts';
import type { Database } from './database.ts';
import { isUnavailable } from './unavailable.ts';

/** Requests that share one round trip, at most: a statement stays short, and its answer too. */
const mostTogether = 64;
/** After a round trip that others had to wait for, the next one waits for more to come: so many times as long … */
const restFactor = 2;
/** … and never longer than this. */
const longestRestMs = 25;
/** What is under way for longer holds up nobody else: another round trip begins beside it. */
const stallMs = 250;
const mostAtOnce = 4;

export interface BatchParts<Request, Answer> {
  readonly clock: Clock;
  /** True where it is many small writes: a commit is worth waiting some milliseconds for, an answer to a reader is not. */
  readonly rests?: boolean;
  /**
   * Does them in one round trip and in one transaction, without waiting for what others hold; null for each that it left
   * undone. When it throws, nothing is known of any.
   */
  together(requests: readonly Request[]): Promise<readonly (Answer | null)[]>;
  /** Does one, waiting for what it takes, and finds the words for what is wrong with it. */
  alone(request: Request): Promise<Answer>;
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Brings what many ask of the database at the same time into few round trips: whoever comes while one is under way shares
 * the next. One that comes alone is done at once. With a thousand runs at work it is one commit, and one write to the disk,
 * for many of them. Each is answered once its own is durable; what is wrong with one is that one's error alone.
 */
export class Batches<Request, Answer> {
  readonly #parts: BatchParts<Request, Answer>;
  readonly #queue: Waiting<Request, Answer>[] = [];
  readonly #working = new Set<{ isStalled: boolean }>();
  #isWatched = false;

  constructor(parts: BatchParts<Request, Answer>) {
    this.#parts = parts;
  }

  /** @throws whatever `alone` throws; `DATABASE_UNAVAILABLE`: the outcome is unknown */
  async do(request: Request): Promise<Answer> {
    const answer = await new Promise<Answer | null>((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#begin();
    });
    return answer ?? this.#parts.alone(request);
  }

  #begin(): void {
    if (this.#queue.length === 0 || this.#working.size >= mostAtOnce) return;
    if ([...this.#working].every((one) => one.isStalled)) void this.#work();
    else if (!this.#isWatched) void this.#watch();
  }

  async #work(): Promise<void> {
    const { clock, rests = false } = this.#parts;
    const self = { isStalled: false };
    this.#working.add(self);
    while (this.#queue.length > 0 && !self.isStalled) {
      const startedMs = clock.monotonicMs();
      await this.#roundTrip(this.#queue.splice(0, mostTogether));
      if (!rests || this.#queue.length === 0 || this.#queue.length >= mostTogether || self.isStalled)
        continue;
      const restMs = Math.min(longestRestMs, (clock.monotonicMs() - startedMs) * restFactor);
      await clock.sleep(restMs).catch(() => undefined);
    }
    this.#working.delete(self);
    this.#begin();
  }

  async #roundTrip(waiting: readonly Waiting<Request, Answer>[]): Promise<void> {
    try {
      const answers = await this.#parts.together(waiting.map((one) => one.request));
      for (const [place, one] of waiting.entries()) one.resolve(answers[place] ?? null);
    } catch (error) {
      for (const one of waiting) {
        if (isUnavailable(error)) one.reject(error);
        // One of them cannot be done, which must not be the others' error.
        else one.resolve(null);
      }
    }
  }

  /** Somebody waits: where that takes too long, what is under way is not waited for any more. */
  async #watch(): Promise<void> {
    this.#isWatched = true;
    const first = this.#queue[0];
    await this.#parts.clock.sleep(stallMs).catch(() => undefined);
    this.#isWatched = false;
    if (first !== undefined && this.#queue[0] === first) {
      for (const one of this.#working) one.isStalled = true;
    }
    this.#begin();
  }
}

/** One `Batches` for each open database, made when it is first used. */
export function batchesOf<Request, Answer>(
  partsFor: (db: Database) => Omit<BatchParts<Request, Answer>, 'clock'>,
): (db: Database) => Batches<Request, Answer> {
  const known = new WeakMap<Database['sql'], Batches<Request, Answer>>();
  return (db) => {
    let batches = known.get(db.sql);
    if (batches === undefined) {
      batches = new Batches({ clock: db.clock, ...partsFor(db) });
      known.set(db.sql, batches);
    }
    return batches;
  };
}
