import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { planForLine } from './line.ts';

const store = testDatabase();

test('a transaction that reads the line is not compiled, and leaves the connection as it was', async () => {
  const settings = sql<{ jit: string; loops: string }>`
    select current_setting('jit') as jit, current_setting('enable_nestloop') as loops`;
  await store.db.sql.connection().execute(async (connection) => {
    await sql`select set_config('jit', 'on', false)`.execute(connection);
    const within = await connection.transaction().execute(async (transaction) => {
      await planForLine(transaction);
      return (await settings.execute(transaction)).rows;
    });
    expect(within).toEqual([{ jit: 'off', loops: 'off' }]);
    expect((await settings.execute(connection)).rows).toEqual([{ jit: 'on', loops: 'on' }]);
    await sql`select set_config('jit', 'off', false)`.execute(connection);
  });
});
