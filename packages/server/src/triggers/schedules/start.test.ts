import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, expect, inject, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';

const database = testDatabase();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

test('two processes that start at once tick once a minute between them, and hand in one task a minute', async () => {
  const { db } = database;
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db.sql);
  // Planned times since a little while ago: the first look has something to do.
  await db.sql
    .insertInto('schedule_states')
    .values({
      name: 'minutely',
      definition: JSON.stringify(['* * * * *', 'UTC', 'web']),
      handled_to: new Date(Date.now() - 65_000),
      judged_from: new Date(0),
    })
    .execute();
  const script = join(import.meta.dirname, '../../testing/schedule-process.ts');
  const said: string[] = [];
  for (let place = 0; place < 2; place += 1) {
    const child = spawn(
      process.execPath,
      [script, inject('databaseSockets'), rows[0]?.name ?? '', '/nonexistent'],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    children.push(child);
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  }
  const ticks = async () => {
    const found = await sql<{ minute: Date; count: string; done: string }>`
      select date_trunc('minute', created_on) as minute, count(*) as count,
        count(*) filter (where state = 'completed') as done
      from berth_jobs.job where name = 'schedules-tick' group by 1`
      .execute(db.sql)
      .catch(() => ({ rows: [] }));
    return found.rows;
  };
  await expect
    .poll(async () => (await ticks()).filter(({ done }) => Number(done) > 0).length, { timeout: 55_000 })
    .toBeGreaterThan(0);
  expect((await ticks()).map(({ count }) => Number(count)).every((count) => count === 1)).toBe(true);
  const ends = children.map((child) => once(child, 'exit'));
  for (const child of children) child.stdin?.end();
  await Promise.all(ends);
  const firings = await db.sql.selectFrom('schedule_firings').selectAll().execute();
  const tasks = await db.sql.selectFrom('tasks').select('id').execute();
  expect(firings.length).toBeGreaterThan(0);
  expect(firings.every(({ outcome }) => outcome === 'handed_in')).toBe(true);
  expect(tasks).toHaveLength(firings.length);
  expect(said.join('').replaceAll('started\n', '')).toBe('');
});
