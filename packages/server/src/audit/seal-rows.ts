import { sql } from 'kysely';
import type { Anchor, Cut, Seal } from './seal.ts';

/** Columns of `audit_seals`; `at` as text, so that it is read exactly as it is stored. */
export const sealColumns = sql`number, kind, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
  from_position, to_position, count, leaves, runs, cut, prev_hash, hash, key_id, signature`;

export interface SealRow {
  readonly number: string;
  readonly kind: Seal['kind'];
  readonly at: string;
  readonly from_position: string;
  readonly to_position: string;
  readonly count: number;
  readonly leaves: Buffer;
  readonly runs: readonly Anchor[];
  readonly cut: Cut | null;
  readonly prev_hash: string;
  readonly hash: string;
  readonly key_id: string;
  readonly signature: string;
}

export function sealOfRow(row: SealRow): Seal {
  return {
    number: Number(row.number),
    kind: row.kind,
    at: row.at,
    from: Number(row.from_position),
    to: Number(row.to_position),
    count: row.count,
    leaves: row.leaves,
    runs: row.runs,
    cut: row.cut,
    prevHash: row.prev_hash,
    hash: row.hash,
    keyId: row.key_id,
    signature: row.signature,
  };
}
