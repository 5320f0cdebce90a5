import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { assert, asyncProperty, constantFrom, record } from 'fast-check';
import { sql } from 'kysely';
import { beforeAll, expect, test } from 'vitest';
import { act, auditHome, tamper, testAudit, type TestAudit } from '../testing/audit-record.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun, writerOf } from '../testing/owned-run.ts';
import { note } from '../testing/project-run.ts';
import type { AuditFinding } from '../domain/ports/audit.ts';
import type { RunWriter } from '../testing/run-writer.ts';
import { appendHead, headOf, headsPath } from './heads.ts';
import { sealBatch } from './seal-batch.ts';
import { keyIdOf, readOrMakeKey } from './signing-key.ts';

const store = testDatabase();
let audit: TestAudit;
let writer: RunWriter;
let runId = '';

/** Three seals of four entries each, with gaps between positions, and a run whose head each of them anchors. */
beforeAll(async () => {
  audit = await testAudit(store.db, { home: auditHome() });
  const ownership = await makeOwnedRun(store.db);
  ({ runId } = ownership);
  writer = await writerOf(store.db, ownership);
  for (const batch of [1, 2, 3]) {
    for (let n = 0; n < 3; n += 1) {
      await audit.sink.record(act({ object: { kind: 'run', id: `r-${batch}-${n}`, projectId: null } }));
      await sql`select nextval('audit_positions')`.execute(store.db.sql);
    }
    const begun = await audit.sink.begin(act());
    if (batch === 3) await begun.end({ result: 'failed', code: 'CONFLICT' });
    await writer.append([note(`batch ${batch}`)]);
    // Nobody else writes here: sealed by hand, so that transactions of other tests' databases hold nothing up.
    const key = await readOrMakeKey(audit.home);
    const seal = await sealBatch(store.db.sql, { until: await drawn(), key, atMs: Date.now() });
    if (seal !== null) await appendHead(headsPath(audit.home), headOf(seal));
  }
});

async function drawn(): Promise<number> {
  const { rows } = await sql<{ last: string }>`select last_value as last from audit_positions`.execute(
    store.db.sql,
  );
  return Number(rows[0]!.last);
}

test('nothing is found where nothing was changed', async () => {
  expect(await audit.verdict()).toMatchObject({ ok: true, entries: 13, seals: 3, runs: 1, findings: [] });
});

/** What verification finds after a change of the database, which is put back afterwards. */
async function findingsAfter(
  statements: readonly string[],
  heads?: string,
): Promise<readonly AuditFinding[]> {
  const tables = ['audit_entries', 'audit_seals', 'events', 'event_payloads', 'runs'];
  const path = headsPath(audit.home);
  copyFileSync(path, `${path}.kept`);
  await tamper(store.db, tables.map((table) => `create table kept_${table} as table ${table}`).join('; '));
  try {
    await tamper(store.db, statements.join('; '));
    if (heads !== undefined) writeFileSync(path, heads);
    return (await audit.verdict()).findings;
  } finally {
    const back = tables.map((table) => `delete from ${table}`).toReversed();
    const again = tables
      .toSorted((one, other) => Number(other === 'runs') - Number(one === 'runs'))
      .map((table) => `insert into ${table} select * from kept_${table}; drop table kept_${table}`);
    await tamper(store.db, [...back, ...again].join('; '));
    copyFileSync(`${path}.kept`, path);
  }
}

const places = async (table: string, columns: string): Promise<readonly Record<string, unknown>[]> =>
  (await sql.raw<Record<string, unknown>>(`select ${columns} from ${table} order by 1`).execute(store.db.sql))
    .rows;

/** How a value of a type is changed by as little as possible. */
const flips: Readonly<Record<string, (column: string) => string>> = {
  text: (c) => `overlay(${c} placing chr(ascii(substr(${c}, 1, 1)) # 1) from 1 for 1)`,
  bigint: (c) => `${c} + 1`,
  integer: (c) => `${c} + 1`,
  'timestamp with time zone': (c) => `${c} + interval '1 ms'`,
  bytea: (c) => `set_bit(${c}, length(${c}) * 8 - 1, 1 - get_bit(${c}, length(${c}) * 8 - 1))`,
  jsonb: (c) =>
    `case jsonb_typeof(${c}) when 'array' then ${c} || '[["r-0", 1, "x"]]' else ${c} || '{"reason": "enougi"}' end`,
};

async function columnsOf(table: string): Promise<readonly { name: string; type: string }[]> {
  const { rows } = await sql<{ name: string; type: string }>`
    select column_name as name, data_type as type from information_schema.columns
    where table_name = ${table} order by ordinal_position`.execute(store.db.sql);
  return rows;
}

test('a change of any column of any entry is found at that entry', async () => {
  const columns = await columnsOf('audit_entries');
  const rows = await places('audit_entries', 'position');
  const cases = record({ column: constantFrom(...columns), row: constantFrom(...rows) });
  await assert(
    asyncProperty(cases, async ({ column: { name, type }, row }) => {
      const position = Number(row['position']);
      // Where the column is empty, something is put into it.
      const changed =
        name === 'position'
          ? 'position + 1000'
          : type === 'text'
            ? `coalesce(${flips['text']!(`nullif(${name}, '')`)}, 'x')`
            : flips[type]!(name);
      const found = await findingsAfter([
        `alter table audit_entries drop constraint if exists audit_entries_check, drop constraint if exists audit_entries_phase_check`,
        `update audit_entries set ${name} = ${changed} where position = ${position}`,
      ]);
      const problem = name === 'position' ? 'entry-missing' : 'entry-changed';
      expect(found, `${name} of ${position}`).toContainEqual(
        expect.objectContaining({ problem, position }) as AuditFinding,
      );
      if (name !== 'position') expect(found).toHaveLength(1);
    }),
    { numRuns: 60 },
  );
});

test('a change of any column of any seal is found at that seal', async () => {
  const columns = (await columnsOf('audit_seals')).filter(({ name }) => name !== 'cut' && name !== 'kind');
  for (const { name, type } of columns) {
    for (const number of [1, 2, 3]) {
      const to = name === 'number' ? 'number + 10' : flips[type]!(name);
      const found = await findingsAfter([`update audit_seals set ${name} = ${to} where number = ${number}`]);
      const wanted = name === 'number' ? { problem: 'seal-missing', seal: number } : { seal: number };
      expect(found, `${name} of seal ${number}`).toContainEqual(
        expect.objectContaining(wanted) as AuditFinding,
      );
    }
  }
});

test('a change of any column of any event or payload is found at that event', async () => {
  const changes = [
    ...(await columnsOf('events')).map((column) => ['events', column] as const),
    ...(await columnsOf('event_payloads'))
      .filter(({ name }) => name === 'data' || name === 'seq')
      .map((column) => ['event_payloads', column] as const),
  ].filter(([, { name }]) => name !== 'run_id');
  for (const [table, { name, type }] of changes) {
    for (const seq of [1, 2]) {
      const to = name === 'seq' ? 'seq + 100' : flips[type]!(name);
      const found = await findingsAfter([
        `update ${table} set ${name} = ${to} where run_id = '${runId}' and seq = ${seq}`,
      ]);
      expect(found, `${name} of ${table} ${seq}`).toContainEqual(
        expect.objectContaining({ run: runId, seq }) as AuditFinding,
      );
    }
  }
  const tick = `update events set at = at + interval '1 microsecond' where seq = 2`;
  expect(await findingsAfter([tick])).toMatchObject([{ problem: 'run-changed', seq: 2 }]);
});

test('a log that was written anew as a whole, its head included, is found by what seals anchored', async () => {
  const other = await makeOwnedRun(store.db);
  const forged = await writerOf(store.db, other);
  await forged.append([note('a'), note('b')]);
  const found = await findingsAfter([
    `update runs set (seq, head) = (select 2, hash from events where run_id = '${runId}' and seq = 2) where id = '${runId}'`,
    `delete from event_payloads where run_id = '${runId}' and seq > 2`,
    `delete from events where run_id = '${runId}' and seq > 2`,
  ]);
  expect(found).toContainEqual(
    expect.objectContaining({ problem: 'run-missing', run: runId }) as AuditFinding,
  );
  const swapped = await findingsAfter([
    `delete from event_payloads where run_id = '${runId}'`,
    `delete from events where run_id = '${runId}'`,
    `delete from runs where id = '${runId}'`,
  ]);
  expect(swapped.length).toBeGreaterThanOrEqual(3);
  expect(swapped.every((one) => one.problem === 'run-missing' && one.run === runId)).toBe(true);
});

test('deleted, added and swapped entries are named', async () => {
  const [first, second] = (await places('audit_entries', 'position')).map((row) => Number(row['position']));
  expect(await findingsAfter([`delete from audit_entries where position = ${second}`])).toMatchObject([
    { problem: 'entry-missing', position: second },
  ]);
  // Into a gap that a rolled-back transaction seems to have left.
  const copy = (position: number): string =>
    `insert into audit_entries (position, act, phase, at, by_id, by_kind, via, action, object_kind, object_id, result, details)
     values (${position}, 'a-forged-${position}', 'whole', now(), 'anna', 'person', 'oidc', 'run.cancel', 'run', 'r', 'allowed', '{}')`;
  expect(await findingsAfter([copy(first! + 1)])).toMatchObject([
    { problem: 'entry-added', position: first! + 1 },
  ]);
  expect(await findingsAfter([copy(-5)])).toMatchObject([{ problem: 'entry-added', position: -5 }]);
  const swap = [
    `update audit_entries set position = -1 where position = ${first}`,
    `update audit_entries set position = ${first} where position = ${second}`,
    `update audit_entries set position = ${second} where position = -1`,
  ];
  expect(await findingsAfter(swap)).toMatchObject([
    { problem: 'entry-changed', position: first },
    { problem: 'entry-changed', position: second },
  ]);
});

test('a tail that was cut off and a database put back are named by the heads kept outside', async () => {
  const [, second] = await places('audit_seals', 'number, to_position');
  const back = [
    `delete from audit_entries where position > ${String(second!['to_position'])}`,
    `delete from audit_seals where number = 3`,
  ];
  expect(await findingsAfter(back)).toMatchObject([{ problem: 'rolled-back', seal: 3 }]);
  const onlySeal = await findingsAfter([
    `delete from audit_seals where number = 3`,
    `update audit_entries set at = at - interval '2 min' where position > ${String(second!['to_position'])}`,
  ]);
  expect(onlySeal.map((one) => one.problem)).toEqual(['tail-unsealed', 'rolled-back']);
  expect(await findingsAfter([`delete from audit_seals`, `delete from audit_entries`])).toMatchObject([
    { problem: 'rolled-back', seal: 1 },
  ]);
  const middle = await findingsAfter([`delete from audit_seals where number = 2`]);
  expect(middle).toContainEqual(
    expect.objectContaining({ problem: 'seal-missing', seal: 2 }) as AuditFinding,
  );
});

test('a seal forged without the key, and a cut that nobody signed, are named', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = { id: keyIdOf(publicKey), privateKey, publicKey };
  await tamper(store.db, `create table kept as table audit_seals`);
  // As whoever has the database: an act is changed, and everything is sealed anew by a key of their own.
  const [row] = await places('audit_entries', 'position, by_id');
  await tamper(
    store.db,
    `delete from audit_seals; update audit_entries set by_id = 'mallory' where position = ${Number(row!['position'])}`,
  );
  await sealBatch(store.db.sql, { until: 1_000, key, atMs: Date.now() });
  const { findings } = await audit.verdict();
  expect(findings).toContainEqual(
    expect.objectContaining({ problem: 'seal-unsigned', seal: 1 }) as AuditFinding,
  );
  expect(findings).toContainEqual(
    expect.objectContaining({ problem: 'rolled-back', seal: 1 }) as AuditFinding,
  );
  await tamper(
    store.db,
    `delete from audit_seals; insert into audit_seals select * from kept; drop table kept;
     update audit_entries set by_id = 'anna@example.org' where position = ${Number(row!['position'])}`,
  );
  expect(await audit.verdict()).toMatchObject({ ok: true });

  const cut = `insert into audit_seals
    select 4, 'cut', at, to_position + 1, to_position, 0, '', '[]',
      jsonb_build_object('number', 2, 'hash', (select hash from audit_seals where number = 2),
        'position', (select to_position from audit_seals where number = 2), 'entries', 8, 'before', 'x'),
      hash, hash, key_id, signature from audit_seals where number = 3`;
  const found = await findingsAfter([cut, `select audit_cut()`]);
  expect(found).toContainEqual(expect.objectContaining({ seal: 4 }) as AuditFinding);
});

test('a changed, foreign or unreadable line of the heads file is named', async () => {
  const path = headsPath(audit.home);
  const text = readFileSync(path, 'utf8');
  const other = text.replace(/"hash":"./, (found) => (found.endsWith('0') ? '"hash":"1' : '"hash":"0'));
  expect(await findingsAfter(['select 1'], other)).toMatchObject([{ problem: 'head-changed', seal: 1 }]);
  expect(await findingsAfter(['select 1'], `${text}not json\n`)).toMatchObject([{ problem: 'head-changed' }]);
  expect(await audit.verdict()).toMatchObject({ ok: true });
});

test('one run is verified alone', async () => {
  expect(await audit.reader.verifyRun(runId)).toMatchObject({ ok: true, runs: 1, seals: 3 });
  await expect(audit.reader.verifyRun('r-nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
