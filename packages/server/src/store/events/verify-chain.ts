import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../database.ts';
import { emptyHead, entryHash, payloadHash } from './chain.ts';

const pageSize = 500;

export type ChainVerdict =
  | { readonly ok: true; readonly entries: number; readonly erased: number }
  | {
      readonly ok: false;
      /** The first entry that is wrong; for a truncated log, the first that is missing. */
      readonly seq: number;
      readonly problem:
        | 'entry-changed'
        | 'payload-changed'
        | 'payload-missing'
        | 'gap'
        | 'truncated'
        | 'surplus';
      readonly sentence: string;
    };

/**
 * Checks a whole log against its hashes. It finds a changed byte of an entry or payload, a gap, and a log that ends
 * elsewhere than its run's head says.
 * @throws BerthError `NOT_FOUND`, `DATABASE_UNAVAILABLE`
 */
export async function verifyChain(db: Database, runId: string): Promise<ChainVerdict> {
  const run = await db.sql
    .selectFrom('runs')
    .select(['seq', 'head'])
    .where('id', '=', runId)
    .executeTakeFirst();
  if (run === undefined) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
  let head = emptyHead(runId);
  let erased = 0;
  for (;;) {
    // Up to the head as it was read: a living run goes on meanwhile.
    const rows = await readPage(db, runId, head.seq, run.seq);
    for (const row of rows) {
      const seq = head.seq + 1;
      if (row.seq !== seq) return wrong(seq, 'gap', `Entry ${seq} is missing.`);
      const hash = entryHash({
        runId,
        seq,
        type: row.type,
        version: row.version,
        at: row.at.toISOString(),
        payloadHash: row.payload_hash,
        prevHash: head.hash,
      });
      // Times are chained in milliseconds; the column would hold more.
      if (row.prev_hash !== head.hash || row.hash !== hash || !row.whole_ms) {
        return wrong(seq, 'entry-changed', `Entry ${seq} does not match its hash.`);
      }
      const payload = await checkPayload(db, row);
      if (payload === 'changed')
        return wrong(seq, 'payload-changed', `The contents of entry ${seq} were changed.`);
      if (payload === 'missing')
        return wrong(seq, 'payload-missing', `The contents of entry ${seq} are missing.`);
      if (payload === 'erased') erased += 1;
      head = { seq, hash };
    }
    if (rows.length < pageSize) break;
  }
  if (head.seq < run.seq) {
    return wrong(head.seq + 1, 'truncated', `The log ends at entry ${head.seq}; its run had ${run.seq}.`);
  }
  if (head.hash !== run.head)
    return wrong(head.seq, 'entry-changed', `Entry ${head.seq} is not the run's head.`);
  const surplus = await firstSurplus(db, runId);
  if (surplus !== null) return wrong(surplus, 'surplus', `Entry ${surplus} is beyond the run's head.`);
  return { ok: true, entries: head.seq, erased };
}

function wrong(
  seq: number,
  problem: Extract<ChainVerdict, { ok: false }>['problem'],
  sentence: string,
): ChainVerdict {
  return { ok: false, seq, problem, sentence };
}

type Row = Awaited<ReturnType<typeof readPage>>[number];

/** The first entry beyond the run's head, both as of one moment. */
async function firstSurplus(db: Database, runId: string): Promise<number | null> {
  const row = await db.sql
    .selectFrom('events')
    .innerJoin('runs', 'runs.id', 'events.run_id')
    .select('events.seq')
    .where('events.run_id', '=', runId)
    .whereRef('events.seq', '>', 'runs.seq')
    .orderBy('events.seq')
    .limit(1)
    .executeTakeFirst();
  return row?.seq ?? null;
}

function readPage(db: Database, runId: string, afterSeq: number, lastSeq: number) {
  return db.sql
    .selectFrom('events')
    .leftJoin('event_payloads', (join) =>
      join
        .onRef('event_payloads.run_id', '=', 'events.run_id')
        .onRef('event_payloads.seq', '=', 'events.seq')
        // Concluded for equality alone: without it each page begins with the first payload of the run.
        .on('event_payloads.seq', '>', afterSeq),
    )
    .select([
      'events.seq',
      'type',
      'version',
      'at',
      'payload_hash',
      'prev_hash',
      'hash',
      'data',
      'blob',
      'erased_at',
      sql<boolean>`at = date_trunc('milliseconds', at)`.as('whole_ms'),
    ])
    .where('events.run_id', '=', runId)
    .where('events.seq', '>', afterSeq)
    .where('events.seq', '<=', lastSeq)
    .orderBy('events.seq')
    .limit(pageSize)
    .execute();
}

async function checkPayload(db: Database, row: Row): Promise<'right' | 'changed' | 'missing' | 'erased'> {
  if (row.erased_at !== null) return 'erased';
  let data: unknown = row.data;
  if (row.blob !== null) {
    try {
      data = JSON.parse(Buffer.from(await db.blobs.get(row.blob)).toString('utf8'));
    } catch {
      return 'missing';
    }
  }
  if (data === null) return 'missing';
  return payloadHash(data) === row.payload_hash ? 'right' : 'changed';
}
