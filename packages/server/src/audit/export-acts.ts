import type { KeyObject } from 'node:crypto';
import { sql } from 'kysely';
import type { AuditFilter } from '../domain/ports/audit.ts';
import type { Database } from '../store/database.ts';
import { entryColumns, entryOfRow, type Entry, type EntryRow } from './entry.ts';
import { actsAfter } from './list-acts.ts';
import { sealColumns, sealOfRow, type SealRow } from './seal-rows.ts';
import type { Seal } from './seal.ts';
import { keyIdOf } from './signing-key.ts';

const sealsOfPage = 20;
const tailOfPage = 1_000;

/** What a line of an export holds. */
export type ExportLine =
  | {
      readonly kind: 'export';
      readonly schema: 'berth.audit-export/v1';
      readonly at: string;
      readonly filter: AuditFilter;
      /** PEM, by key id. */
      readonly publicKeys: Readonly<Record<string, string>>;
    }
  | ({ readonly kind: 'entry' } & Entry)
  | ({ readonly kind: 'seal' } & Omit<Seal, 'kind' | 'leaves'> & {
        readonly sealKind: Seal['kind'];
        /** Base64. */
        readonly leaves: string;
      })
  | { readonly kind: 'end'; readonly entries: number; readonly seals: number };

/**
 * The record as JSON lines for a third party: the public keys, then each seal after those of its entries that the
 * filter takes, then what is not sealed yet, then the end. All seals are there, so that each entry can be checked, and
 * without a filter also that none is missing (docs/audit.md).
 */
export async function* exportActs(
  db: Database,
  filter: AuditFilter,
  publicKeys: readonly KeyObject[],
  signal: AbortSignal,
): AsyncGenerator<string> {
  const isPartial = Object.values(filter).some((value) => value !== undefined);
  const count = { entries: 0, seals: 0 };
  yield line({
    kind: 'export',
    schema: 'berth.audit-export/v1',
    at: new Date(db.clock.nowMs()).toISOString(),
    filter,
    publicKeys: Object.fromEntries(
      publicKeys.map((key) => [keyIdOf(key), key.export({ type: 'spki', format: 'pem' }).toString()]),
    ),
  });
  async function* within(from: number, to: number): AsyncGenerator<string> {
    for (const entry of await entriesOf(db, filter, isPartial, { from, to })) {
      count.entries += 1;
      yield line({ kind: 'entry', ...entry });
    }
  }
  let number = 0;
  let to = 0;
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await sql<SealRow>`
      select ${sealColumns} from audit_seals where number > ${number}
      order by number limit ${sealsOfPage}`.execute(db.sql);
    for (const row of rows) {
      signal.throwIfAborted();
      const { kind: sealKind, leaves, ...seal } = sealOfRow(row);
      yield* within(seal.from, seal.to);
      yield line({ kind: 'seal', ...seal, sealKind, leaves: leaves.toString('base64') });
      count.seals += 1;
      ({ number, to } = seal);
    }
    if (rows.length < sealsOfPage) break;
  }
  for (let last = await lastPosition(db); to < last; to += tailOfPage) {
    signal.throwIfAborted();
    yield* within(to + 1, Math.min(to + tailOfPage, last));
  }
  yield line({ kind: 'end', ...count });
}

async function entriesOf(
  db: Database,
  filter: AuditFilter,
  isPartial: boolean,
  range: { readonly from: number; readonly to: number },
): Promise<readonly Entry[]> {
  const acts = isPartial ? await actsAfter(db, filter, range) : null;
  if (acts?.length === 0) return [];
  const taken = acts === null ? sql`true` : sql`act = any(${[...acts]}::text[])`;
  const { rows } = await sql<EntryRow>`
    select ${entryColumns} from audit_entries
    where position between ${range.from} and ${range.to} and ${taken} order by position`.execute(db.sql);
  return rows.map(entryOfRow);
}

async function lastPosition(db: Database): Promise<number> {
  const { rows } = await sql<{ last: string | null }>`
    select max(position) as last from audit_entries`.execute(db.sql);
  return Number(rows[0]?.last ?? 0);
}

function line(value: ExportLine): string {
  return `${JSON.stringify(value)}\n`;
}
