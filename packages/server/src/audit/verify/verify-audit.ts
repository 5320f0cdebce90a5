import type { KeyObject } from 'node:crypto';
import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import type { AuditProgress, AuditVerdict } from '../../domain/ports/audit.ts';
import type { Database } from '../../store/database.ts';
import { entryColumns, entryOfRow, type EntryRow } from '../entry.ts';
import { sealColumns, sealOfRow, type SealRow } from '../seal-rows.ts';
import type { Seal } from '../seal.ts';
import { checkEntries } from './check-entries.ts';
import { checkHeads } from './check-heads.ts';
import { checkAnchors, checkRun } from './check-run.ts';
import { beginAfterCut, checkSeal } from './check-seal.ts';
import { Findings } from './findings.ts';

/** An entry that is older than this and not sealed is named: the sealer runs every ten seconds. */
const unsealedMs = 60_000;
const sealsOfPage = 20;
const runsOfPage = 200;

export interface VerifyOptions {
  /** Public keys that seals may be signed with; the present one and those of earlier times. */
  readonly publicKeys: readonly KeyObject[];
  /** The heads file kept outside the database; without it a database put back whole is not noticed. */
  readonly heads?: string;
  readonly signal?: AbortSignal;
}

/**
 * Checks everything: each entry against its seal, each seal against its signature and the one before it, each anchored
 * head and every run's log, and the heads kept outside. Streams: memory stays small however long the record is.
 * @throws BerthError `DATABASE_UNAVAILABLE`; the signal's reason
 */
export async function* verifyAudit(
  db: Database,
  options: VerifyOptions,
): AsyncGenerator<{ progress: AuditProgress } | { verdict: AuditVerdict }> {
  for (;;) {
    const cutBefore = await newestCut(db);
    let verdict: AuditVerdict | null = null;
    for await (const item of verifyOnce(db, options, cutBefore)) {
      if ('verdict' in item) ({ verdict } = item);
      else yield item;
    }
    if (verdict === null) throw new Error('a verification without a verdict');
    const cutAfter = await newestCut(db);
    // Retention took away what was being looked at: that is no finding.
    if (!verdict.ok && cutAfter?.number !== cutBefore?.number) continue;
    yield { verdict };
    return;
  }
}

async function* verifyOnce(
  db: Database,
  { publicKeys, heads, signal }: VerifyOptions,
  cut: Seal | null,
): AsyncGenerator<{ progress: AuditProgress } | { verdict: AuditVerdict }> {
  const findings = new Findings();
  const done = { entries: 0, seals: 0, runs: 0 };
  let events = 0;
  let erased = 0;
  let end = beginAfterCut({ newestCut: cut });
  const firstNumber = end.number + 1;
  /** By number, for the heads: 64 bytes a seal. */
  const hashes = new Map<number, string>();
  await checkBefore(db, end, findings);
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await sql<SealRow>`
      select ${sealColumns} from audit_seals where number > ${end.number}
      order by number limit ${sealsOfPage}`.execute(db.sql);
    for (const row of rows) {
      signal?.throwIfAborted();
      const seal = sealOfRow(row);
      // From the end of the last one, so that nothing lies between two seals either.
      const from = seal.number === end.number + 1 ? Math.min(end.to + 1, seal.from) : seal.from;
      end = checkSeal(seal, end, publicKeys, findings);
      hashes.set(seal.number, seal.hash);
      const entries = await entriesOf(db, from, seal.to);
      checkEntries(seal, entries, findings);
      await checkAnchors(db, seal.number, seal.runs, findings);
      done.entries += entries.length;
      done.seals += 1;
    }
    yield { progress: { ...done } };
    if (rows.length < sealsOfPage) break;
  }
  const unsealed = await checkTail(db, end.to, findings);
  if (heads !== undefined) {
    const hashOf = (number: number): string | null | undefined =>
      number < firstNumber ? null : hashes.get(number);
    await checkHeads(heads, publicKeys, hashOf, end.number, findings);
  }
  for await (const runs of runPages(db)) {
    for (const runId of runs) {
      signal?.throwIfAborted();
      const log = await checkRun(db, runId, findings);
      events += log?.events ?? 0;
      erased += log?.erased ?? 0;
      done.runs += 1;
    }
    yield { progress: { ...done } };
  }
  yield {
    verdict: {
      ok: findings.ok,
      ...done,
      events,
      erased,
      unsealed,
      cut: cut?.cut == null ? null : { position: cut.cut.position, before: cut.cut.before },
      head: end.number === 0 ? null : { number: end.number, hash: end.hash },
      findings: findings.list,
      more: findings.more,
    },
  };
}

async function newestCut(db: Database): Promise<Seal | null> {
  const { rows } = await sql<SealRow>`
    select ${sealColumns} from audit_seals where kind = 'cut' order by number desc limit 1`.execute(db.sql);
  return rows[0] === undefined ? null : sealOfRow(rows[0]);
}

async function entriesOf(db: Database, from: number, to: number) {
  const { rows } = await sql<EntryRow>`
    select ${entryColumns} from audit_entries where position between ${from} and ${to}
    order by position limit 5000`.execute(db.sql);
  return rows.map(entryOfRow);
}

/** What lies before the chain begins (nothing does, or a cut should have taken it) answers for nothing. */
async function checkBefore(
  db: Database,
  end: { readonly to: number; readonly number: number },
  findings: Findings,
): Promise<void> {
  const { rows } = await sql<{ position: string }>`
    select position from audit_entries where position <= ${end.to} order by position limit 100`.execute(
    db.sql,
  );
  for (const { position } of rows) {
    findings.add({
      problem: 'entry-added',
      position: Number(position),
      sentence: `Entry ${position} lies before the first position that seals answer for.`,
    });
  }
  const { rows: seals } = await sql<{ number: string }>`
    select number from audit_seals where number <= ${end.number} order by number limit 100`.execute(db.sql);
  for (const { number } of seals) {
    findings.add({
      problem: 'seal-changed',
      seal: Number(number),
      sentence: `Seal ${number} lies before the beginning of the chain.`,
    });
  }
}

async function checkTail(db: Database, to: number, findings: Findings): Promise<AuditVerdict['unsealed']> {
  const { rows } = await sql<{ count: number; first: string | null; at: Date | null }>`
    select count(*)::int as count, min(position) as first, min(at) as at
    from audit_entries where position > ${to}
      and position > (select coalesce(max(to_position), 0) from audit_seals)`.execute(db.sql);
  const { count = 0, first = null, at = null } = rows[0] ?? {};
  const from = first === null ? null : Number(first);
  if (at !== null && from !== null && db.clock.nowMs() - at.getTime() > unsealedMs) {
    findings.add({
      problem: 'tail-unsealed',
      position: from,
      sentence: `${count} entries from ${from} on are not sealed, the oldest of ${at.toISOString()}: the sealer does not run, or seals were taken away.`,
    });
  }
  return { count, from, oldestAt: at?.toISOString() ?? null };
}

async function* runPages(db: Database): AsyncGenerator<readonly string[]> {
  let after = '';
  for (;;) {
    const { rows } = await sql<{ id: string }>`
      select id from runs where id > ${after} order by id limit ${runsOfPage}`.execute(db.sql);
    if (rows.length === 0) return;
    yield rows.map((row) => row.id);
    after = rows.at(-1)!.id;
    if (rows.length < runsOfPage) return;
  }
}

/** One run's log and what seals say of it. @throws BerthError `NOT_FOUND` */
export async function verifyOneRun(
  db: Database,
  runId: string,
  { publicKeys }: Pick<VerifyOptions, 'publicKeys'>,
): Promise<AuditVerdict> {
  const findings = new Findings();
  const log = await checkRun(db, runId, findings);
  const { rows } = await sql<SealRow>`
    select ${sealColumns} from audit_seals
    where exists (select from jsonb_array_elements(runs) as anchor where anchor ->> 0 = ${runId})
    order by number`.execute(db.sql);
  if (log === null && rows.length === 0) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
  let head: AuditVerdict['head'] = null;
  for (const seal of rows.map(sealOfRow)) {
    const before = { number: seal.number - 1, hash: seal.prevHash, to: seal.from - 1 };
    checkSeal(seal, before, publicKeys, findings);
    await checkAnchors(
      db,
      seal.number,
      seal.runs.filter(([run]) => run === runId),
      findings,
    );
    head = { number: seal.number, hash: seal.hash };
  }
  return {
    ok: findings.ok,
    entries: 0,
    seals: rows.length,
    runs: 1,
    events: log?.events ?? 0,
    erased: log?.erased ?? 0,
    unsealed: { count: 0, from: null, oldestAt: null },
    cut: null,
    head,
    findings: findings.list,
    more: findings.more,
  };
}
