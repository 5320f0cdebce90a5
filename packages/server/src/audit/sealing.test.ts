import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sql } from 'kysely';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';
import { act, auditHome, testAudit } from '../testing/audit-record.ts';
import { testDatabase } from '../testing/database.ts';
import { clientConfig } from '../store/connect.ts';
import { databaseUser } from '../store/embedded/initialise.ts';
import { appendHead, headsPath, lastHead } from './heads.ts';
import { lastSeal } from './seal-batch.ts';

const store = testDatabase();
const sharedHome = auditHome();
const insert = (id: string): string => `insert into audit_entries
  (act, phase, at, by_id, by_kind, via, action, object_kind, object_id, result, details)
  values ('${id}', 'whole', now(), 'anna', 'person', 'oidc', 'run.cancel', 'run', '${id}', 'allowed', '{}')`;

test('an entry that is committed after later ones is not skipped, and nothing waits for it but its followers', async () => {
  const audit = await testAudit(store.db, { home: sharedHome });
  await audit.sink.record(act());
  const slow = new Client(clientConfig(store.db.directAddress));
  await slow.connect();
  await slow.query('begin');
  await slow.query(insert('a-slow'));
  await audit.sink.record(act({ object: { kind: 'run', id: 'after', projectId: null } }));
  // The transaction is open: what was recorded after it is not sealed over its head.
  await audit.sealNow();
  expect((await audit.verdict()).unsealed.count).toBeGreaterThan(0);
  await slow.query('commit');
  await audit.sealAll();
  expect(await audit.verdict()).toMatchObject({ ok: true, entries: 3, unsealed: { count: 0 } });

  await slow.query('begin');
  await slow.query(insert('a-rolled-back'));
  await audit.sink.record(act());
  await slow.query('rollback');
  await audit.sealAll();
  expect(await audit.verdict()).toMatchObject({ ok: true, entries: 4, unsealed: { count: 0 } });

  // What came before a transaction that never seems to end is sealed all the same.
  await audit.sink.record(act());
  await audit.sealAll();
  const before = (await lastSeal(store.db.sql))!.to;
  await slow.query('begin');
  await slow.query(insert('a-endless'));
  await audit.sink.record(act());
  await audit.sealNow();
  expect((await lastSeal(store.db.sql))!.to).toBe(before);
  await slow.end();
  await audit.sealAll();
  await audit.stop();
  expect(await audit.verdict()).toMatchObject({ ok: true, unsealed: { count: 0 } });
});

test('a mark taken before a long transaction is settled while that transaction still runs', async () => {
  const audit = await testAudit(store.db, { home: sharedHome });
  const first = new Client(clientConfig(store.db.directAddress));
  const second = new Client(clientConfig(store.db.directAddress));
  await Promise.all([first.connect(), second.connect()]);
  await first.query('begin');
  await first.query(insert('a-first'));
  await audit.sealNow();
  await second.query('begin');
  await second.query(insert('a-second'));
  await first.query('commit');
  // The second is open; the mark of the round before lies below it.
  const { rows } = await sql<{ position: string }>`
    select position from audit_entries where act = 'a-first'`.execute(store.db.sql);
  const sealedTo = async () => {
    await audit.sealNow();
    return (await lastSeal(store.db.sql))!.to;
  };
  await expect.poll(sealedTo).toBeGreaterThanOrEqual(Number(rows[0]!.position));
  await second.query('rollback');
  await Promise.all([first.end(), second.end()]);
  await audit.stop();
  expect(await audit.verdict()).toMatchObject({ ok: true });
});

test('of two replicas one seals; when it ends, the other does', async () => {
  const home = auditHome();
  const [one, other] = [await testAudit(store.db, { home }), await testAudit(await store.open(), { home })];
  await one.sink.record(act());
  expect(await one.sealNow()).toBe(true);
  await other.sink.record(act());
  expect(await other.sealNow()).toBe(false);
  await one.stop();
  await other.sink.record(act());
  expect(await other.sealNow()).toBe(true);
  await other.sealAll();
  await other.stop();
  // Keys differ from test to test; of this home's own seals none is wrong, and none is missing.
  const numbers = [...one.heads, ...other.heads].map((head) => head.number);
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  expect((await other.verdict()).unsealed.count).toBe(0);
});

test('kill -9 in the middle of recording and sealing: nothing is lost, nothing sealed twice, the next goes on', async () => {
  const home = auditHome();
  const own = `t_audit_${process.pid}_${Date.now()}`;
  await sql.raw(`create database ${own} template berth_template`).execute(store.db.sql);
  const url = `postgres://${databaseUser}@localhost/${own}?host=${encodeURIComponent(inject('databaseSockets'))}`;
  const program = join(import.meta.dirname, '..', 'testing', 'audit-writer.ts');
  for (let round = 1; round <= 3; round += 1) {
    const child = spawn(process.execPath, [program, home, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    let seals = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('sealed') && (seals += 1) >= 4) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  const { openDatabase } = await import('../store/database.ts');
  const db = await openDatabase({
    home,
    databaseUrl: url,
    clock: store.db.clock,
    signal: new AbortController().signal,
  });
  try {
    const audit = await testAudit(db, { home });
    await expect.poll(() => audit.sealNow()).toBe(true);
    await audit.sealAll();
    const verdict = await audit.verdict();
    expect(verdict).toMatchObject({ ok: true, findings: [], unsealed: { count: 0 } });
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from audit_entries`.execute(db.sql);
    expect(verdict.entries).toBe(rows[0]!.n);
    expect(verdict.entries).toBeGreaterThan(100);
    await audit.stop();
  } finally {
    await db.close();
    await sql.raw(`drop database if exists ${own} with (force)`).execute(store.db.sql);
  }
});

test('a head that a crash kept from the file is added, and a database put back is told at the first round', async () => {
  const home = auditHome();
  const audit = await testAudit(store.db, { home });
  await audit.sink.record(act());
  await audit.sealAll();
  await audit.stop();
  const path = headsPath(home);
  const last = (await lastHead(path))!;
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, -20));
  const again = await testAudit(store.db, { home });
  await again.sealNow();
  expect(await lastHead(path)).toEqual(last);
  await again.stop();
  await appendHead(path, { ...last, number: last.number + 7 });
  const later = await testAudit(store.db, { home });
  await later.sealNow();
  expect(later.errors.map((error) => error.code)).toEqual(['AUDIT_ROLLED_BACK']);
  await later.stop();
});

test('the key is made once, closed to others, and refused when it is not', async () => {
  const home = auditHome();
  const [one, other] = await Promise.all([testAudit(store.db, { home }), testAudit(store.db, { home })]);
  expect(one.publicKey.equals(other.publicKey)).toBe(true);
  const path = join(home, 'keys', 'audit.key');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await Promise.all([one.stop(), other.stop()]);
  chmodSync(path, 0o640);
  await expect(testAudit(store.db, { home })).rejects.toMatchObject({ code: 'AUDIT_KEY_UNUSABLE' });
  await expect(testAudit(store.db, { home, signingKey: 'nonsense' })).rejects.toMatchObject({
    code: 'AUDIT_KEY_UNUSABLE',
  });
});

test('seals of a key of earlier times hold once its public half is kept', async () => {
  const home = auditHome();
  const old = await testAudit(store.db, { home });
  await old.sink.record(act());
  await old.sealAll();
  await old.stop();
  const { number } = (await lastSeal(store.db.sql))!;
  const keys = join(home, 'keys');
  rmSync(join(keys, 'audit.key'));
  const publicPem = readFileSync(join(keys, 'audit.pub'), 'utf8');
  const wrongAt = async () => {
    const audit = await testAudit(store.db, { home });
    const { findings } = await audit.verdict();
    await audit.stop();
    return findings.filter((one) => one.problem === 'seal-unsigned').map((one) => one.seal);
  };
  expect(await wrongAt()).toContain(number);
  mkdirSync(join(keys, 'audit-retired'));
  writeFileSync(join(keys, 'audit-retired', '2026.pem'), publicPem);
  expect(await wrongAt()).not.toContain(number);
});
