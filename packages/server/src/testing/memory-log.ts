import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import { foldAll } from '../domain/run-state.ts';
import { ownedLog, type OwnedLog } from '../runs/owned-log.ts';

/** A run's log in memory: what one owner after another sees. `entries` outlives them. */
export function memoryLog(entries: StoredEvent[] = []): OwnedLog & { readonly entries: StoredEvent[] } {
  const log = ownedLog({
    initial: foldAll('r-test', entries),
    prepare: (events: readonly NewEvent[]) =>
      Promise.resolve({
        stored: events.map((event, place): StoredEvent => {
          const seq = entries.length + place + 1;
          return { ...event, runId: 'r-test', seq, at: new Date(seq * 1000).toISOString() };
        }),
      }),
    commit: async (batch) => {
      entries.push(...batch.stored);
    },
    read: ({ afterSeq, types }) =>
      Promise.resolve(
        entries.filter((entry) => entry.seq > afterSeq && (types === null || types.includes(entry.type))),
      ),
    live: () => undefined,
  });
  return Object.assign(log, { entries });
}
