import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { openAt, type Database } from '../store/database.ts';
import { databaseUser } from '../store/embedded/initialise.ts';
import { runSql } from './run-sql.ts';

export interface TestDatabase {
  readonly db: Database;
  /** Another view of the same database, as another process has it. Closed at the end. */
  open(clock?: Clock): Promise<Database>;
}

/** A migrated, empty database of the calling test file's own (cloned in about 30 ms), dropped at the end. */
export function testDatabase(): TestDatabase {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const opened: Database[] = [];
  let home = '';
  const open = async (clock: Clock = systemClock): Promise<Database> => {
    const address = {
      kind: 'socket',
      directory: inject('databaseSockets'),
      database: name,
      user: databaseUser,
    } as const;
    const options = { home, clock, signal: new AbortController().signal, durable: false };
    const db = await openAt(address, address, null, options);
    opened.push(db);
    return db;
  };
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'berth-test-'));
    await runSql(inject('databaseSockets'), `create database ${name} template berth_template`);
    await open();
  });
  afterAll(async () => {
    for (const db of opened) await db.close();
    await runSql(inject('databaseSockets'), `drop database if exists ${name} with (force)`);
    await rm(home, { recursive: true, force: true });
  });
  return {
    get db() {
      const first = opened[0];
      if (first === undefined) throw new Error('the database opens in beforeAll');
      return first;
    },
    open,
  };
}
