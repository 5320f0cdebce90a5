import type { NewEvent, StoredEvent } from '../events/index.ts';
import type { LiveFrame } from '../live.ts';

/** Where the rooms below `runs/` report what they do. One sink belongs to one owned run. */
export interface EventSink {
  /**
   * Appends to the run's log, all or nothing, and returns the entries as stored. Resolves only once they are
   * durable: act on the world after it, never before.
   * @throws BerthError `OWNERSHIP_LOST` when another worker owns the run: stop at once, without side effects.
   */
  append(...events: NewEvent[]): Promise<StoredEvent[]>;
  /** Shows something fleeting to whoever watches. Never stored, never waits, may be dropped. */
  live(frame: LiveFrame): void;
}
