import { summaryOf } from '../domain/event-facts.ts';
import type { EventSummary } from '../domain/run-views.ts';
import type { EventView } from '../domain/views.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import { isUnavailable } from '../store/unavailable.ts';
import { eventView } from './views.ts';

/** Entries of a run's end that are kept in memory while somebody follows it. */
const kept = 256;
const pageSize = 100;

export interface TailEntry {
  readonly full: EventView;
  readonly summary: EventSummary;
}

/**
 * The end of one run's log, shared by all who follow it: what is new is read once. Whoever is further behind than it
 * reaches reads for itself.
 */
export class RunTail {
  readonly #db: Database;
  readonly #runId: string;
  /** The entry before the first one that is kept; null: nothing was read yet. */
  #from: number | null = null;
  #entries: TailEntry[] = [];
  #isStale = true;
  #reading: Promise<void> | null = null;

  constructor(db: Database, runId: string) {
    this.#db = db;
    this.#runId = runId;
  }

  /** There may be more than was read. */
  ring(): void {
    this.#isStale = true;
  }

  /** The entries after one, at most a page; empty: none yet, or the database is away. */
  async after(seq: number): Promise<readonly TailEntry[]> {
    this.#from ??= seq;
    if (seq < this.#from) return this.#read(seq);
    if (seq >= this.#end() && this.#isStale) {
      this.#reading ??= this.#refresh().finally(() => {
        this.#reading = null;
      });
      await this.#reading;
    }
    // Meanwhile the end may have moved past whoever asked.
    if (seq < this.#from) return this.#read(seq);
    return this.#entries.filter((entry) => entry.full.seq > seq).slice(0, pageSize);
  }

  #end(): number {
    return this.#entries.at(-1)?.full.seq ?? this.#from ?? 0;
  }

  async #refresh(): Promise<void> {
    this.#isStale = false;
    const page = await this.#read(this.#end());
    if (page.length === pageSize) this.#isStale = true;
    this.#entries.push(...page);
    const surplus = this.#entries.length - kept;
    if (surplus > 0) this.#from = this.#entries.splice(0, surplus).at(-1)?.full.seq ?? this.#from;
  }

  async #read(afterSeq: number): Promise<readonly TailEntry[]> {
    try {
      const events = await readEvents(this.#db, this.#runId, {
        afterSeq,
        limit: pageSize,
        withoutErased: true,
      });
      return events.map((event) => ({ full: eventView(event), summary: summaryOf(event) }));
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      this.#isStale = true;
      return [];
    }
  }
}
