import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { testDatabase } from '../testing/database.ts';
import { connectPool } from './connect.ts';
import { openDatabase } from './database.ts';
import { migrate } from './migrate.ts';

const store = testDatabase();
let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-database-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

function urlOf(database: string, user = 'berth'): string {
  return `postgres://${user}@${encodeURIComponent(inject('databaseSockets'))}/${database}`;
}

async function nameOf(): Promise<string> {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(store.db.sql);
  return rows[0]!.name;
}

test('DATABASE_URL replaces the embedded database', async () => {
  const db = await openDatabase({
    home,
    databaseUrl: urlOf(await nameOf()),
    clock: systemClock,
    signal: AbortSignal.timeout(120_000),
  });
  expect(db.kind).toBe('external');
  expect(await db.sql.selectFrom('runs').select('id').execute()).toEqual([]);
  await db.close();
});

test.each([
  ['a database that is not there', (): string => urlOf('nowhere')],
  ['an unknown user', (): string => urlOf('postgres', 'mallory')],
])('%s is refused with a code, at once', async (_what, url) => {
  const opening = openDatabase({
    home,
    databaseUrl: url(),
    clock: systemClock,
    signal: AbortSignal.timeout(120_000),
  });
  await expect(opening).rejects.toMatchObject({ code: 'DATABASE_REFUSED' });
});

test('a database that does not answer is said to be away within a bounded time', async () => {
  const away = connectPool(
    { kind: 'url', url: 'postgres://x@127.0.0.1:9/x', isPooled: false },
    () => undefined,
  );
  await expect(sql`select 1`.execute(away)).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    retryable: true,
  });
  await away.destroy();
});

test('migrating again changes nothing; a database of a newer or another Berth is refused', async () => {
  const applied = await store.db.sql.selectFrom('schema_migrations').selectAll().execute();
  await migrate(store.db.sql);
  expect(await store.db.sql.selectFrom('schema_migrations').selectAll().execute()).toEqual(applied);
  await store.db.sql
    .insertInto('schema_migrations')
    .values({ number: 9_999, name: 'from_the_future', checksum: 'x' })
    .execute();
  await expect(migrate(store.db.sql)).rejects.toMatchObject({ code: 'DATABASE_SCHEMA' });
  await store.db.sql.deleteFrom('schema_migrations').where('number', '=', 9_999).execute();
  await store.db.sql
    .updateTable('schema_migrations')
    .set({ checksum: 'other' })
    .where('number', '=', 1)
    .execute();
  await expect(migrate(store.db.sql)).rejects.toMatchObject({ code: 'DATABASE_SCHEMA' });
});
