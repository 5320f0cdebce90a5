import { eventTypes, type EventType, type StoredEvent } from '../../domain/events/index.ts';
import type { PreparedAppend } from './prepare-append.ts';

/** What is kept of one log at most: its owner reads what it has just written. A thousand logs are some twenty megabytes at most. */
const mostEntries = 16;
const mostBytes = 16 * 1024;

interface Kept {
  readonly event: StoredEvent;
  readonly bytes: number;
  /** Whether the database has its payload, which arranges names its own way. */
  readonly isInline: boolean;
  asRead: StoredEvent | null;
}

/**
 * The newest entries of a log that this process owns, and so is the only one to append to: what it wrote is not read back
 * from the database. With a thousand runs at work these reads were a fifth of all statements.
 */
export class RecentEntries {
  /** Everything after this entry is kept; null: nothing was appended yet. */
  #after: number | null = null;
  #kept: Kept[] = [];
  #bytes = 0;

  /** Takes in what has become durable, in the order of the log. */
  add({ from, rows, stored }: PreparedAppend): void {
    this.#after ??= from.seq;
    for (const [place, event] of stored.entries()) {
      const data = rows[place]?.data ?? null;
      // One that is too long is in the blob store, and lets those before it go.
      const bytes = data?.length ?? mostBytes + 1;
      this.#kept.push({ event, bytes, isInline: data !== null, asRead: null });
      this.#bytes += bytes;
    }
    while (this.#kept.length > mostEntries || this.#bytes > mostBytes) {
      const gone = this.#kept.shift();
      if (gone === undefined) break;
      this.#after = gone.event.seq;
      this.#bytes -= gone.bytes;
    }
  }

  /**
   * The entries after `seq`, as `readEvents` answers them; null: not all of them are kept.
   * @param types of these alone; null: all
   */
  read(seq: number, types: readonly EventType[] | null): readonly StoredEvent[] | null {
    if (this.#after === null || seq < this.#after) return null;
    return this.#kept
      .filter(({ event }) => event.seq > seq && (types === null || types.includes(event.type)))
      .map((kept) => (kept.asRead ??= asRead(kept)));
  }
}

/** The very object that reading it would make: a conversation must not look different to a model after a take-over. */
function asRead({ event, isInline }: Kept): StoredEvent {
  const data = isInline ? arranged(event.data) : event.data;
  return { ...event, data: eventTypes[event.type].data.parse(data) } as StoredEvent;
}

/** Names in the order of `jsonb`: the shorter first, then by their bytes. */
function arranged(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(arranged);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, one]) => ({ name: Buffer.from(name), key: name, one }));
  entries.sort((a, b) => a.name.length - b.name.length || Buffer.compare(a.name, b.name));
  return Object.fromEntries(entries.map(({ key, one }) => [key, arranged(one)]));
}
