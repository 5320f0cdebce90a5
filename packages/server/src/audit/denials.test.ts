import { expect, test } from 'vitest';
import { act, auditHome, testAudit } from '../testing/audit-record.ts';
import { testDatabase } from '../testing/database.ts';
import { Denials, denialWindowMs } from './denials.ts';

const store = testDatabase();

const denied = (id: string, by = 'eve@example.org') =>
  act({ by, result: 'denied', code: 'FORBIDDEN', object: { kind: 'run', id, projectId: 'p-1' } });

test('the same denial within a minute is one row with a count, written when the minute is over', () => {
  const denials = new Denials();
  for (let at = 0; at < 50_000; at += 1_000) denials.add(denied('r-1'), at, at);
  denials.add(denied('r-2'), 50_000, 50_000);
  expect(denials.take(denialWindowMs - 1)).toEqual([]);
  const [row, ...others] = denials.take(denialWindowMs);
  expect(others).toEqual([]);
  expect(row).toMatchObject({ atMs: 0, act: { details: { count: 50, last: '1970-01-01T00:00:49.000Z' } } });
  expect(denials.take(0, true)).toHaveLength(1);
  expect(denials.size).toBe(0);
});

test('very many different objects stay within bounds, and none of them goes uncounted', () => {
  const denials = new Denials();
  for (let n = 0; n < 300_000; n += 1) denials.add(denied(`r-${n}`), n / 1_000, 0);
  expect(denials.size).toBeLessThanOrEqual(101);
  const rows = denials.take(0, true);
  const counts = rows.map((row) => row.act.details['count'] as number);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300_000);
  const overflow = rows.find((row) => row.act.object.id === '*');
  expect(overflow?.act).toMatchObject({ by: 'eve@example.org', details: { count: 299_900 } });
});

test('neither do a hundred thousand different claimants, and they leave the room of others alone', () => {
  const denials = new Denials();
  for (let n = 0; n < 300; n += 1) denials.add(denied(`r-${n}`, 'eve@example.org'), 0, 0);
  denials.add(denied('r-1', 'anna@example.org'), 0, 0);
  for (let n = 0; n < 100_000; n += 1) {
    denials.add({ ...denied(`r-${n}`, `x${n}`), action: `a${n}.b`, code: `C${n}` }, 0, 0);
  }
  expect(denials.size).toBeLessThanOrEqual(1_201);
  const rows = denials.take(0, true);
  expect(rows.find((row) => row.act.by === 'anna@example.org')?.act.details['count']).toBe(1);
  expect(rows.filter((row) => row.act.by === '*')).toHaveLength(1);
  expect(rows.reduce((sum, row) => sum + (row.act.details['count'] as number), 0)).toBe(100_301);
  // What was taken makes room again.
  denials.add(denied('r-1'), 0, 0);
  expect(denials.size).toBe(1);
});

test('denials that were counted are written when the record is closed', async () => {
  const audit = await testAudit(store.db, { home: auditHome() });
  for (let n = 0; n < 25; n += 1) await audit.sink.record(denied('r-1'));
  expect((await audit.reader.list({ limit: 5 })).acts).toEqual([]);
  await audit.stop();
  const { acts } = await audit.reader.list({ limit: 5 });
  expect(acts).toHaveLength(1);
  expect(acts[0]).toMatchObject({ result: 'denied', code: 'FORBIDDEN', details: { count: 25 } });
  expect(await audit.verdict()).toMatchObject({ ok: true, entries: 1, unsealed: { count: 0 } });
});
