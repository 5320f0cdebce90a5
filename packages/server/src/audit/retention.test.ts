import { createPublicKey } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { act, auditHome, tamper, testAudit } from '../testing/audit-record.ts';
import { testDatabase } from '../testing/database.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import type { ExportLine } from './export-acts.ts';
import { verifyExport } from './verify/verify-export.ts';

const store = testDatabase();
const dayMs = 86_400_000;

test('what is older than it is kept is cut in whole batches, on record and signed, and the rest still holds', async () => {
  const clock = new ManualClock();
  const sleepLong = clock.sleep.bind(clock);
  // Settling pauses for real; a test moves the clock only by days.
  clock.sleep = (ms, signal) => (ms < 1_000 ? pause(ms) : sleepLong(ms, signal));
  const db = await store.open(clock);
  const home = auditHome();
  let keepForMs: number | null = null;
  const audit = await testAudit(db, { home, keepForMs: () => keepForMs });
  const days = async (from: number, to: number): Promise<void> => {
    for (let day = from; day <= to; day += 1) {
      await audit.sink.record(act({ object: { kind: 'day', id: `${day}`, projectId: null } }));
      await audit.sealAll();
      clock.jump(dayMs);
    }
  };
  await days(1, 5);
  keepForMs = 2.5 * dayMs;
  await audit.sealAll();
  const objects = async () =>
    (await audit.reader.list({ action: 'run', limit: 50 })).acts.map((one) => one.object.id);
  expect(await objects()).toEqual(['5', '4']);
  const [cut] = (await audit.reader.list({ action: 'audit.cut', limit: 5 })).acts;
  expect(cut).toMatchObject({ by: 'retention', result: 'allowed', details: { entries: 3, upTo: 3 } });
  await audit.sealAll();
  expect(await audit.verdict()).toMatchObject({ ok: true, findings: [], cut: { position: 3 } });

  // More than was signed for is a deletion like any other.
  await expect(sql`delete from audit_entries where object_id = '4'`.execute(db.sql)).rejects.toThrow(
    /append-only/,
  );
  await days(6, 9);
  expect(await objects()).toEqual(['9', '8', '7']);
  expect(await audit.verdict()).toMatchObject({ ok: true, findings: [] });
  await tamper(db, `delete from audit_seals where number = (select min(number) from audit_seals)`);
  const [finding] = (await audit.verdict()).findings;
  expect(finding).toMatchObject({ problem: 'seal-missing' });
  await audit.stop();
});

test('an export with its seals and key is verified by somebody who has nothing else, filtered or whole', async () => {
  const db = await store.open();
  await tamper(db, 'delete from audit_entries; delete from audit_seals');
  await sql`select setval('audit_positions', 1, false)`.execute(db.sql);
  const audit = await testAudit(db, { home: auditHome() });
  for (let n = 0; n < 5; n += 1) {
    await audit.sink.record(act({ by: n % 2 === 0 ? 'anna' : 'ben' }));
    if (n === 1 || n === 3) await audit.sealAll();
  }
  const lines = async (filter = {}): Promise<string[]> => {
    const all: string[] = [];
    for await (const line of audit.reader.export(filter, new AbortController().signal)) all.push(line);
    return all;
  };
  const whole = await lines();
  const kinds = whole.map((line) => (JSON.parse(line) as ExportLine).kind);
  expect(kinds).toEqual(['export', 'entry', 'entry', 'seal', 'entry', 'entry', 'seal', 'entry', 'end']);
  const header = JSON.parse(whole[0]!) as Extract<ExportLine, { kind: 'export' }>;
  const keys = Object.values(header.publicKeys).map((pem) => createPublicKey(pem));
  expect(await verifyExport(whole, keys)).toMatchObject({ ok: true, entries: 5, unsealed: { count: 1 } });
  const annas = await lines({ by: 'anna' });
  expect(await verifyExport(annas, keys)).toMatchObject({ ok: true, entries: 3 });
  const changed = annas.map((line) => line.replace('r-1', 'r-2'));
  expect((await verifyExport(changed, keys)).findings).toHaveLength(2);
  expect((await verifyExport(whole.toSpliced(1, 1), keys)).findings.slice(0, 1)).toMatchObject([
    { problem: 'entry-missing', position: 1 },
  ]);
  expect((await verifyExport(whole.toSpliced(3, 1), keys)).ok).toBe(false);
  expect((await verifyExport(whole.slice(0, -1), keys)).ok).toBe(false);
  await audit.stop();
});
