import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { act, auditHome, tamper, testAudit } from '../testing/audit-record.ts';
import { testDatabase } from '../testing/database.ts';

const store = testDatabase();
const home = auditHome();
const redact = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll('hunter2hunter2', '[secret]'));

async function record(options: { sealed?: boolean } = {}) {
  const audit = await testAudit(store.db, { home, redact });
  if (options.sealed === true) expect(await audit.sealNow()).toBe(true);
  return audit;
}

const refused = /append-only/;

test('what was recorded is read back, newest first, with the filters and a cursor', async () => {
  const audit = await record();
  for (const id of ['r-a', 'r-b', 'r-c']) {
    await audit.sink.record(act({ object: { kind: 'run', id, projectId: 'p-list' } }));
  }
  await audit.sink.record(
    act({ by: 'ben@example.org', action: 'token.create', result: 'failed', code: 'CONFLICT' }),
  );
  const ids = async (filter: object) => {
    const { acts } = await audit.reader.list({ limit: 50, ...filter });
    return acts.map((one) => one.object.id);
  };
  expect(await ids({ project: 'p-list' })).toEqual(['r-c', 'r-b', 'r-a']);
  expect(await ids({ object: 'r-b' })).toEqual(['r-b']);
  expect(await ids({ action: 'run', project: 'p-list', limit: 1 })).toEqual(['r-c']);
  expect(await ids({ action: 'token.create' })).toEqual(['r-1']);
  expect(await ids({ action: 'ru' })).toEqual([]);
  expect(await ids({ by: 'ben@example.org', result: 'failed' })).toEqual(['r-1']);
  expect(await ids({ since: '2999-01-01T00:00:00Z' })).toEqual([]);
  expect(await ids({ until: '1999-01-01T00:00:00Z' })).toEqual([]);
  const first = await audit.reader.list({ project: 'p-list', limit: 2 });
  const rest = await audit.reader.list({ project: 'p-list', limit: 2, cursor: first.next! });
  expect([...first.acts, ...rest.acts].map((one) => one.object.id)).toEqual(['r-c', 'r-b', 'r-a']);
  expect(rest.next).toBeNull();
  await expect(audit.reader.list({ limit: 1, cursor: "1'" })).rejects.toMatchObject({ code: 'USAGE' });
  await audit.stop();
});

test('an act has a row before it happens, and one that refers to it after; readers see one act', async () => {
  const audit = await record();
  const begun = await audit.sink.begin(act({ object: { kind: 'task', id: '', projectId: null } }));
  const open = await audit.reader.list({ limit: 1 });
  expect(open.acts[0]).toMatchObject({ action: 'run.cancel', result: 'open', endedAt: null });
  await begun.end({
    result: 'allowed',
    code: null,
    details: { made: 1 },
    object: { kind: 'task', id: 't-1', projectId: 'p-9' },
  });
  const { acts } = await audit.reader.list({ project: 'p-9', limit: 5 });
  expect(acts).toHaveLength(1);
  expect(acts[0]).toMatchObject({
    result: 'allowed',
    object: { kind: 'task', id: 't-1', projectId: 'p-9' },
    details: { reason: 'enough', made: 1 },
  });
  await audit.stop();
});

test('an intent whose end never came reads as unknown after a minute', async () => {
  const audit = await record();
  await audit.sink.begin(act({ object: { kind: 'run', id: 'r-lost', projectId: 'p-lost' } }));
  await tamper(store.db, `update audit_entries set at = at - interval '61 s' where object_id = 'r-lost'`);
  const { acts } = await audit.reader.list({ result: 'unknown', project: 'p-lost', limit: 5 });
  expect(acts.map((one) => one.result)).toEqual(['unknown']);
  await audit.stop();
});

test('secrets are taken out, and hostile text is stored without failing others', async () => {
  const audit = await record();
  await Promise.all([
    audit.sink.record(
      act({
        by: 'eve\u0000\ud800',
        object: { kind: 'secret', id: 'x hunter2hunter2', projectId: 'p-secret' },
        from: { address: null, agent: 'x'.repeat(100_000) },
        details: { before: 'hunter2hunter2', after: { deep: ['hunter2hunter2'] } },
      }),
    ),
    audit.sink.record(
      act({ object: { kind: 'x', id: 'long', projectId: 'p-secret' }, details: { t: 'y'.repeat(90_000) } }),
    ),
  ]);
  const { acts } = await audit.reader.list({ project: 'p-secret', limit: 5 });
  expect(acts).toHaveLength(2);
  const text = JSON.stringify(acts);
  expect(text).not.toContain('hunter2');
  expect(text).toContain('[secret]');
  expect(text.length).toBeLessThan(4_000);
  await audit.stop();
});

test('rows and seals cannot be changed, deleted or truncated, not even as a replica', async () => {
  const audit = await record();
  await audit.sink.record(act());
  await audit.sealAll();
  for (const statement of [
    `update audit_entries set by_id = 'eve'`,
    `update audit_entries set position = position + 1000`,
    `delete from audit_entries`,
    `truncate audit_entries`,
    `update audit_seals set count = count`,
    `delete from audit_seals`,
    `truncate audit_seals`,
    `truncate audit_entries, audit_seals`,
    `merge into audit_entries e using (select 1) x on true when matched then update set by_id = 'eve'`,
    `insert into audit_entries select * from audit_entries limit 1
       on conflict (position) do update set by_id = 'eve'`,
  ]) {
    await expect(sql.raw(statement).execute(store.db.sql)).rejects.toThrow(refused);
    const asReplica = store.db.sql.transaction().execute(async (transaction) => {
      await sql`set local session_replication_role = replica`.execute(transaction);
      await sql.raw(statement).execute(transaction);
    });
    await expect(asReplica).rejects.toThrow(refused);
  }
  expect(await audit.verdict()).toMatchObject({ ok: true });
  await audit.stop();
});

test('an act is refused while the database is away', async () => {
  const db = await store.open();
  const audit = await testAudit(db, { home: auditHome() });
  await db.sql.destroy();
  await expect(audit.sink.begin(act())).rejects.toThrow('destroyed');
  await expect(audit.sink.record(act())).rejects.toThrow('destroyed');
});
