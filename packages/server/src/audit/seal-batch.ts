import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../store/tables.ts';
import { entryColumns, entryOfRow, type EntryRow } from './entry.ts';
import {
  chainStart,
  packLeaves,
  signSeal,
  widestSeal,
  type Anchor,
  type Cut,
  type Seal,
  type SealContents,
} from './seal.ts';
import { sealColumns, sealOfRow, type SealRow } from './seal-rows.ts';
import type { SigningKey } from './signing-key.ts';

/** Entries and run heads of one seal: some 20 ms of hashing, and a row of some tens of KiB. */
const entriesOfSeal = 1_000;
const anchorsOfSeal = 500;

export type Connection = Kysely<Tables> | Transaction<Tables>;

/** The newest seal, or null before the first. */
export async function lastSeal(sqlOn: Connection): Promise<Seal | null> {
  const { rows } = await sql<SealRow>`
    select ${sealColumns} from audit_seals order by number desc limit 1`.execute(sqlOn);
  return rows[0] === undefined ? null : sealOfRow(rows[0]);
}

/**
 * Seals the next entries up to position `until`, below which nothing can appear any more, and the heads of runs
 * that moved. Null when there is nothing to seal. A second sealer at the same time fails at the seal's number.
 */
export async function sealBatch(
  db: Kysely<Tables>,
  options: { readonly until: number; readonly key: SigningKey; readonly atMs: number },
): Promise<Seal | null> {
  return db.transaction().execute(async (transaction) => {
    const last = await lastSeal(transaction);
    const from = (last?.to ?? 0) + 1;
    const until = Math.min(options.until, from + widestSeal);
    const { rows } = await sql<EntryRow>`
      select ${entryColumns} from audit_entries
      where position >= ${from} and position <= ${until} order by position limit ${entriesOfSeal}`.execute(
      transaction,
    );
    const runs = await movedRuns(transaction);
    if (rows.length === 0 && runs.length === 0) return null;
    const entries = rows.map(entryOfRow);
    const seal = signSeal(
      {
        ...nextOf(last, options.atMs),
        kind: 'seal',
        // What nobody committed below the last entry is part of the range; above it more may follow.
        to: entries.length === entriesOfSeal ? entries.at(-1)!.position : Math.max(until, from - 1),
        count: entries.length,
        leaves: packLeaves(from, entries),
        runs,
        cut: null,
      },
      options.key,
    );
    await insertSeal(transaction, seal);
    await sql`
      insert into audit_anchored (run_id, seq, head)
      select * from unnest(${runs.map(([run]) => run)}::text[], ${runs.map(([, seq]) => seq)}::int[],
        ${runs.map(([, , head]) => head)}::text[])
      on conflict (run_id) do update set seq = excluded.seq, head = excluded.head`.execute(transaction);
    return seal;
  });
}

/** Puts a signed cut at the end of the chain and removes what it covers, all or nothing. */
export async function sealCut(
  db: Kysely<Tables>,
  options: { readonly cut: Cut; readonly key: SigningKey; readonly atMs: number },
): Promise<Seal> {
  return db.transaction().execute(async (transaction) => {
    const last = await lastSeal(transaction);
    const next = nextOf(last, options.atMs);
    const seal = signSeal(
      {
        ...next,
        kind: 'cut',
        to: next.from - 1,
        count: 0,
        leaves: Buffer.alloc(0),
        runs: [],
        cut: options.cut,
      },
      options.key,
    );
    await insertSeal(transaction, seal);
    await sql`select audit_cut()`.execute(transaction);
    return seal;
  });
}

function nextOf(last: Seal | null, atMs: number): Pick<SealContents, 'number' | 'at' | 'from' | 'prevHash'> {
  return {
    number: (last?.number ?? 0) + 1,
    at: new Date(atMs).toISOString(),
    from: (last?.to ?? 0) + 1,
    prevHash: last?.hash ?? chainStart,
  };
}

async function movedRuns(transaction: Transaction<Tables>): Promise<readonly Anchor[]> {
  const { rows } = await sql<{ id: string; seq: number; head: string }>`
    select runs.id, runs.seq, runs.head from runs left join audit_anchored on run_id = runs.id
    where audit_anchored.head is distinct from runs.head order by runs.id limit ${anchorsOfSeal}`.execute(
    transaction,
  );
  return rows.map(({ id, seq, head }) => [id, seq, head]);
}

async function insertSeal(transaction: Transaction<Tables>, seal: Seal): Promise<void> {
  await sql`
    insert into audit_seals (number, kind, at, from_position, to_position, count, leaves, runs, cut, prev_hash,
      hash, key_id, signature)
    values (${seal.number}, ${seal.kind}, ${seal.at}, ${seal.from}, ${seal.to}, ${seal.count}, ${seal.leaves},
      ${JSON.stringify(seal.runs)}::jsonb, ${seal.cut === null ? null : JSON.stringify(seal.cut)}::jsonb,
      ${seal.prevHash}, ${seal.hash}, ${seal.keyId}, ${seal.signature})`.execute(transaction);
}
