import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql, type Kysely } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { Tables } from './tables.ts';

/** Any number: it only has to be the same in every Berth. */
const migrationLock = 7_266_001;

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly text: string;
}

/**
 * Brings the tables to this version: each numbered file once, in order, all in one transaction under one lock.
 * @throws BerthError `DATABASE_SCHEMA` when a file that was applied has changed since, or the database is newer
 */
export async function migrate(
  db: Kysely<Tables>,
  directory = join(import.meta.dirname, 'migrations'),
): Promise<void> {
  const migrations = await readMigrations(directory);
  await db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(transaction);
    await sql`create table if not exists schema_migrations (
      number int primary key, name text not null, checksum text not null,
      applied_at timestamptz not null default now())`.execute(transaction);
    const applied = await transaction.selectFrom('schema_migrations').selectAll().orderBy('number').execute();
    assertKnown(applied, migrations);
    for (const { number, name, checksum, text } of migrations.slice(applied.length)) {
      await sql.raw(text).execute(transaction);
      await transaction.insertInto('schema_migrations').values({ number, name, checksum }).execute();
    }
  });
}

function assertKnown(
  applied: readonly { number: number; name: string; checksum: string }[],
  known: readonly Migration[],
): void {
  for (const [index, row] of applied.entries()) {
    const file = known[index];
    if (file?.number === row.number && file.checksum === row.checksum) continue;
    const sentence =
      file === undefined
        ? `The database was migrated by a newer Berth (migration ${row.number} ${row.name} is unknown here).`
        : `Migration ${row.number} ${row.name} was applied in another form than this Berth knows.`;
    throw new BerthError('DATABASE_SCHEMA', sentence, { details: { number: row.number, name: row.name } });
  }
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(directory, name), 'utf8');
      return {
        number: Number(name.slice(0, 4)),
        name: name.slice(5, -4),
        checksum: createHash('sha256').update(text).digest('hex'),
        text,
      };
    }),
  );
}
