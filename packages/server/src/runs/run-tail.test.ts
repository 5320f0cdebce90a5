import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import { fillRun, ownedRun } from '../testing/long-run.ts';
import { testDatabase } from '../testing/database.ts';
import { RunTail } from './run-tail.ts';

const store = testDatabase();

/** The database, away for so many of the next looks. */
function goingAway(): { readonly db: Database; away: number } {
  const state = { away: 0, db: store.db };
  state.db = {
    ...store.db,
    sql: new Proxy(store.db.sql, {
      get(target, name) {
        if (name === 'selectFrom' && state.away > 0) {
          state.away -= 1;
          throw new BerthError('DATABASE_UNAVAILABLE');
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }),
  };
  return state;
}

test('a reader that was told of nothing while the database was away is rung for, though others have read all', async () => {
  const { runId, writer } = await ownedRun(store.db);
  await fillRun(writer, 300);
  const world = goingAway();
  const tail = new RunTail(world.db, runId);
  let seq = 0;
  // The newest are kept; whoever begins at the first entry now reads for itself.
  for (let page = await tail.after(0); page.length > 0; page = await tail.after(seq))
    seq = page.at(-1)!.full.seq;
  expect([seq, tail.isBehind(300)]).toEqual([300, false]);
  world.away = 1;
  expect(await tail.after(0)).toEqual([]);
  expect(tail.isBehind(300)).toBe(true);
  tail.ring();
  expect(tail.isBehind(300)).toBe(false);
  expect((await tail.after(0))[0]?.full.seq).toBe(1);
});

test('one whose look for all failed is rung for, though a later look of another found everything', async () => {
  const { runId, writer } = await ownedRun(store.db);
  await fillRun(writer, 20);
  const world = goingAway();
  const tail = new RunTail(world.db, runId);
  world.away = 1;
  expect(await tail.after(0)).toEqual([]);
  expect(await tail.after(0)).toHaveLength(20);
  expect(tail.isBehind(20)).toBe(true);
});
