import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import { emptyRunState, foldAll } from '../domain/run-state.ts';
import { ownedLog } from './owned-log.ts';

const clock = { nowMs: () => 1_000, monotonicMs: () => 1_000, sleep: () => Promise.resolve() };
const paused = (reason: string): NewEvent => ({ type: 'run.paused', data: { by: 'test', reason } });

function logOver(persist: (entries: readonly StoredEvent[]) => Promise<void>): ReturnType<typeof ownedLog> {
  return ownedLog({
    initial: emptyRunState('r-1'),
    clock,
    persist,
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
