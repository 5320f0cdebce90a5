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
    const rows = await readPage(db, runId, head.seq);
    for (const row of rows) {
      const seq = head.seq + 1;
      if (row.seq > run.seq) return wrong(row.seq, 'surplus', `Entry ${row.seq} is beyond the run's head.`);
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
      if (row.prev_hash !== head.hash || row.hash !== hash) {
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

function readPage(db: Database, runId: string, afterSeq: number) {
  return db.sql
    .selectFrom('events')
    .leftJoin('event_payloads', (join) =>
      join
        .onRef('event_payloads.run_id', '=', 'events.run_id')
        .onRef('event_payloads.seq', '=', 'events.seq'),
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
    ])
    .where('events.run_id', '=', runId)
    .where('events.seq', '>', afterSeq)
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
