import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import { emptyRunState, foldAll } from '../domain/run-state.ts';
import { ownedLog, type OwnedLog } from './owned-log.ts';

const paused = (reason: string): NewEvent => ({ type: 'run.paused', data: { by: 'test', reason } });

function logOver(
  commit: (entries: readonly StoredEvent[], inboxIds: readonly string[]) => Promise<void>,
): OwnedLog {
  let seq = 0;
  return ownedLog({
    initial: emptyRunState('r-1'),
    prepare: (events) =>
      Promise.resolve({
        stored: events.map((event): StoredEvent => {
          seq += 1;
          return { ...event, runId: 'r-1', seq, at: '2026-01-01T00:00:00.000Z' };
        }),
      }),
    commit: (batch, _after, inboxIds) => commit(batch.stored, inboxIds),
    read: () => Promise.resolve([]),
    live: () => undefined,
  });
}

test('numbers entries without gaps, however many append at once, and folds only what is durable', async () => {
  const durable: StoredEvent[] = [];
  const statements: number[] = [];
  const log = logOver(async (entries) => {
    await Promise.resolve();
    durable.push(...entries);
    statements.push(entries.length);
  });
  const stored = await Promise.all(
    Array.from({ length: 50 }, (_, index) => log.append(paused(`${index}`), paused('and'))),
  );
  expect(durable.map((entry) => entry.seq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  expect(stored.flat().map((entry) => entry.seq)).toEqual(durable.map((entry) => entry.seq));
  expect(log.state()).toEqual(foldAll('r-1', durable));
  expect(statements.length).toBeLessThan(10);
});

test('after a refusal nothing is written any more, and the state stays what was durable', async () => {
  let writes = 0;
  const log = logOver(() => {
    writes += 1;
    return writes === 2 ? Promise.reject(new BerthError('OWNERSHIP_LOST')) : Promise.resolve();
  });
  await log.append(paused('first'));
  await expect(log.append(paused('second'))).rejects.toThrow(BerthError);
  await expect(log.append(paused('third'))).rejects.toMatchObject({ code: 'OWNERSHIP_LOST' });
  expect(writes).toBe(2);
  expect(log.state().paused?.reason).toBe('first');
});

test('inbox entries are taken in by the statement that writes their events', async () => {
  const statements: { entries: number; inboxIds: readonly string[] }[] = [];
  const log = logOver((entries, inboxIds) => {
    statements.push({ entries: entries.length, inboxIds });
    return Promise.resolve();
  });
  await log.takeIn(['m-1', 'm-2'], [paused('asked')]);
  expect(statements).toEqual([{ entries: 1, inboxIds: ['m-1', 'm-2'] }]);
});

test('an event that cannot be stored is refused alone; those beside it and after it are written', async () => {
  const durable: StoredEvent[] = [];
  const log = ownedLog({
    initial: emptyRunState('r-1'),
    prepare: (events) => {
      const isBad = events.some((event) => event.type === 'run.paused' && event.data.reason === 'bad');
      if (isBad) return Promise.reject(new BerthError('EVENT_INVALID'));
      const at = '2026-01-01T00:00:00.000Z';
      const stored = events.map((event, place): StoredEvent => ({
        ...event,
        runId: 'r-1',
        seq: durable.length + place + 1,
        at,
      }));
      return Promise.resolve({ stored });
    },
    commit: async (batch) => {
      durable.push(...batch.stored);
    },
    read: () => Promise.resolve([]),
    live: () => undefined,
  });
  const outcomes = await Promise.allSettled(
    ['first', 'good', 'bad', 'also good'].map((reason) => log.append(paused(reason))),
  );
  expect(outcomes.map((outcome) => outcome.status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  await log.append(paused('later'));
  expect(durable.map((entry) => entry.seq)).toEqual([1, 2, 3, 4]);
});
