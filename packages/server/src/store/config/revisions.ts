import type { Transaction } from 'kysely';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';

export interface RevisionRow {
  readonly number: number;
  readonly digest: string;
  readonly document: unknown;
  readonly sources: Readonly<Record<string, 'default' | 'file' | 'database'>>;
  readonly source: 'file' | 'database';
  readonly by: string;
  readonly at: string;
}

type Reader = Transaction<Tables> | Database['sql'];

export async function readNewestRevision(reader: Reader): Promise<RevisionRow | null> {
  const row = await reader
    .selectFrom('config_revisions')
    .selectAll()
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : toRow(row);
}

/** Number of the newest revision; 0: there is none. */
export async function newestRevisionNumber(reader: Reader): Promise<number> {
  const row = await reader
    .selectFrom('config_revisions')
    .select((of) => of.fn.max('number').as('number'))
    .executeTakeFirst();
  return row?.number ?? 0;
}

export async function readRevision(reader: Reader, number: number): Promise<RevisionRow | null> {
  const row = await reader
    .selectFrom('config_revisions')
    .selectAll()
    .where('number', '=', number)
    .executeTakeFirst();
  return row === undefined ? null : toRow(row);
}

/** Newest first, without their documents. */
export async function listRevisions(
  reader: Reader,
  page: { readonly limit: number; readonly before?: number },
): Promise<readonly Omit<RevisionRow, 'document' | 'sources'>[]> {
  let query = reader
    .selectFrom('config_revisions')
    .select(['number', 'digest', 'source', 'by', 'at'])
    .orderBy('number', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('number', '<', page.before);
  return (await query.execute()).map((row) => ({ ...row, at: row.at.toISOString() }));
}

export async function insertRevision(
  transaction: Transaction<Tables>,
  revision: Omit<RevisionRow, 'at'>,
): Promise<void> {
  await transaction
    .insertInto('config_revisions')
    .values({
      number: revision.number,
      digest: revision.digest,
      document: JSON.stringify(revision.document),
      sources: JSON.stringify(revision.sources),
      source: revision.source,
      by: revision.by,
    })
    .execute();
}

function toRow(row: {
  number: number;
  digest: string;
  document: object;
  sources: object;
  source: 'file' | 'database';
  by: string;
  at: Date;
}): RevisionRow {
  return { ...row, sources: row.sources as RevisionRow['sources'], at: row.at.toISOString() };
}
