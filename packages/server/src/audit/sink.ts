import { newId } from '../domain/ids.ts';
import type { AuditAct, AuditSink } from '../domain/ports/audit.ts';
import type { Database } from '../store/database.ts';
import { entryAppender } from './append-entries.ts';
import { Denials } from './denials.ts';
import { entryOf, type NewEntry, type Redact } from './entry.ts';

/** How often it is looked whether a row of denials is due. */
const denialTickMs = 5_000;
/** An end that the database did not take is tried again so often, this far apart. */
const endRetries = 30;
const endRetryMs = 2_000;

export interface RunningSink extends AuditSink {
  /** Writes the denials counted so far. */
  flushDenials(): Promise<void>;
  /** Writes what is held back, and takes nothing more by itself. */
  stop(): Promise<void>;
}

/** Writes acts into the record, redacted. */
export function auditSink(
  db: Database,
  options: { readonly redact: Redact; readonly onError: (error: unknown) => void },
): RunningSink {
  const { clock } = db;
  const { redact, onError } = options;
  const appender = entryAppender(db);
  const denials = new Denials();
  const stopping = new AbortController();
  const ending = new Set<Promise<void>>();

  const write = (act: AuditAct, atMs: number): Promise<void> =>
    appender.append(entryOf(act, { act: newId('a', clock.nowMs()), phase: 'whole', atMs }, redact));

  async function flush(all: boolean): Promise<void> {
    const due = denials.take(clock.monotonicMs(), all);
    await Promise.all(
      due.map(({ act, atMs }) =>
        write(act, atMs).catch((error: unknown) => {
          // Counted on, and tried again with the next window.
          denials.add(act, clock.monotonicMs(), atMs);
          onError(error);
        }),
      ),
    );
  }

  /** The act is done whatever happens now: its end is written as soon as the database takes it. */
  async function writeEnd(entry: NewEntry): Promise<void> {
    for (let round = 1; ; round += 1) {
      try {
        return await appender.append(entry);
      } catch (error) {
        if (round > endRetries || stopping.signal.aborted) throw error;
        await clock.sleep(endRetryMs, stopping.signal).catch(() => undefined);
      }
    }
  }

  const ticking = (async () => {
    for (;;) {
      await clock.sleep(denialTickMs, stopping.signal);
      await flush(false);
    }
  })().catch(() => undefined);

  return {
    async record(act) {
      if (act.result === 'denied') denials.add(act, clock.monotonicMs(), clock.nowMs());
      else await write(act, clock.nowMs());
    },
    async begin(act) {
      const id = newId('a', clock.nowMs());
      await appender.append(entryOf(act, { act: id, phase: 'begin', atMs: clock.nowMs() }, redact));
      return {
        async end({ result, code, details, object }) {
          const entry = entryOf(
            { ...act, object: object ?? act.object, result, code, details: details ?? {} },
            { act: id, phase: 'end', atMs: clock.nowMs() },
            redact,
          );
          try {
            await appender.append(entry);
          } catch (error) {
            const later = writeEnd(entry)
              .catch(onError)
              .finally(() => ending.delete(later));
            ending.add(later);
            throw error;
          }
        },
      };
    },
    flushDenials: () => flush(true),
    async stop() {
      stopping.abort(new Error('the record of acts is closing'));
      await ticking;
      await flush(true);
      await Promise.all(ending);
      await appender.settled();
    },
  };
}
