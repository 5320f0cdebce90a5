import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../testing/database.ts';

const store = testDatabase();

test('a statement with values is parsed once for a connection, and its answer is the same', async () => {
  const { db } = store;
  await db.sql.connection().execute(async (one) => {
    for (const n of [1, 2, 3]) {
      const { rows } = await sql<{ twice: number }>`select ${n}::int * 2 as twice`.execute(one);
      expect(rows).toEqual([{ twice: n * 2 }]);
    }
    const { rows } = await sql<{ n: string }>`
      select count(*)::text as n from pg_prepared_statements where statement like ${'%* 2 as twice'}`.execute(
      one,
    );
    expect(rows).toEqual([{ n: '1' }]);
  });
});

test('when a migration beside us changes what a statement answers, one use fails, and its connection is not used again', async () => {
  const { db } = store;
  const read = (on: typeof db.sql) => sql`select amount from changing where id = ${1}`.execute(on);
  await sql`create table changing (id int, amount int)`.execute(db.sql);
  await sql`insert into changing values (1, 5)`.execute(db.sql);
  const backend = await db.sql.connection().execute(async (one) => {
    expect((await read(one)).rows).toEqual([{ amount: 5 }]);
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(one);
    await sql`alter table changing alter column amount type text`.execute(db.sql);
    await expect(read(one)).rejects.toThrow('cached plan');
    return rows[0]!.pid;
  });
  const gone = async (): Promise<boolean> => {
    const found = await sql`select from pg_stat_activity where pid = ${backend}`.execute(db.sql);
    return found.rows.length === 0;
  };
  await expect.poll(gone).toBe(true);
  expect((await read(db.sql)).rows).toEqual([{ amount: '5' }]);
});

test('statements that answer every column are parsed at each use: a new column changes nothing for them', async () => {
  const { db } = store;
  const read = () => sql`select * from widening where id = ${1}`.execute(db.sql);
  await sql`create table widening (id int)`.execute(db.sql);
  await sql`insert into widening values (1)`.execute(db.sql);
  expect((await read()).rows).toEqual([{ id: 1 }]);
  await sql`alter table widening add column more text`.execute(db.sql);
  expect((await read()).rows).toEqual([{ id: 1, more: null }]);
});

// Last: what its connections remember is full after it.
test('a connection remembers a bounded number of statements', async () => {
  const { db } = store;
  await db.sql.connection().execute(async (one) => {
    for (let length = 1; length <= 300; length += 1) {
      const many = sql.join(Array.from({ length }, (_, n) => sql`${n}::int`));
      await sql`select greatest(${many}) as most`.execute(one);
    }
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from pg_prepared_statements`.execute(one);
    expect(rows[0]?.n).toBeLessThanOrEqual(256);
  });
});
