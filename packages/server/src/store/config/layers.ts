import { sql, type Transaction } from 'kysely';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';

/** Serialises every change of the configuration, of all replicas. Any constant that nothing else locks. */
const lockKey = 7_420_003;

/** What the bell rings for when a revision was made. */
export const configBell = 'config';

export interface FileLayer {
  readonly digest: string;
  readonly document: Readonly<Record<string, unknown>>;
  /** Host and path it was imported from. */
  readonly place: string;
  readonly importedAt: string;
}

export interface LayerObject {
  readonly section: string;
  /** Empty for a section that is one object. */
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Never given twice. */
  readonly version: string;
  readonly changedBy: string;
  readonly changedAt: string;
}

/** Runs `work` as the only one that changes the configuration; what it rings for, is rung by the caller afterwards. */
export async function changeConfig<T>(
  db: Database,
  work: (transaction: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  return db.sql.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${lockKey}::bigint)`.execute(transaction);
    return work(transaction);
  });
}

type Reader = Transaction<Tables> | Database['sql'];

export async function readFileLayer(reader: Reader): Promise<FileLayer | null> {
  const row = await reader.selectFrom('config_file').selectAll().executeTakeFirst();
  if (row === undefined) return null;
  return {
    digest: row.digest,
    document: row.document as FileLayer['document'],
    place: row.place,
    importedAt: row.imported_at.toISOString(),
  };
}

export async function writeFileLayer(
  transaction: Transaction<Tables>,
  layer: Omit<FileLayer, 'importedAt'>,
): Promise<void> {
  const values = { digest: layer.digest, document: JSON.stringify(layer.document), place: layer.place };
  await transaction
    .insertInto('config_file')
    .values(values)
    .onConflict((conflict) =>
      conflict.column('only_row').doUpdateSet({ ...values, imported_at: sql`clock_timestamp()` }),
    )
    .execute();
}

/** Which file a replica holds; `isLive` as long as it said so within the last `withinMs`. */
export async function readReplicas(
  reader: Reader,
  withinMs: number,
): Promise<readonly { readonly place: string; readonly digest: string; readonly isLive: boolean }[]> {
  const rows = await reader
    .selectFrom('config_replicas')
    .select((of) => [
      'place',
      'digest',
      of('seen_at', '>', sql<Date>`clock_timestamp() - make_interval(secs => ${withinMs / 1000})`).as(
        'isLive',
      ),
    ])
    .execute();
  return rows.map((row) => ({ ...row, isLive: Boolean(row.isLive) }));
}

export async function noteReplica(
  reader: Reader,
  replica: { readonly place: string; readonly digest: string },
): Promise<void> {
  await reader
    .insertInto('config_replicas')
    .values(replica)
    .onConflict((conflict) =>
      conflict.column('place').doUpdateSet({ digest: replica.digest, seen_at: sql`clock_timestamp()` }),
    )
    .execute();
}

/** Says that a replica is gone, so that its file is no longer held by it. What it held stays known. */
export async function retireReplica(reader: Reader, place: string): Promise<void> {
  await reader
    .updateTable('config_replicas')
    .set({ seen_at: sql`'-infinity'` })
    .where('place', '=', place)
    .execute();
}

export async function readObjects(reader: Reader): Promise<readonly LayerObject[]> {
  const rows = await reader
    .selectFrom('config_objects')
    .selectAll()
    .orderBy('section')
    .orderBy('name')
    .execute();
  return rows.map((row) => ({
    section: row.section,
    name: row.name,
    value: row.value as LayerObject['value'],
    version: row.version,
    changedBy: row.changed_by,
    changedAt: row.changed_at.toISOString(),
  }));
}

export async function writeObject(
  transaction: Transaction<Tables>,
  object: Pick<LayerObject, 'section' | 'name' | 'value'> & { readonly by: string },
): Promise<string> {
  const value = JSON.stringify(object.value);
  const row = await transaction
    .insertInto('config_objects')
    .values({ section: object.section, name: object.name, value, changed_by: object.by })
    .onConflict((conflict) =>
      conflict.columns(['section', 'name']).doUpdateSet({
        value,
        changed_by: object.by,
        changed_at: sql`clock_timestamp()`,
        version: sql<string>`nextval('config_object_versions')`,
      }),
    )
    .returning('version')
    .executeTakeFirstOrThrow();
  return row.version;
}

export async function deleteObject(
  transaction: Transaction<Tables>,
  section: string,
  name: string,
): Promise<void> {
  await transaction
    .deleteFrom('config_objects')
    .where('section', '=', section)
    .where('name', '=', name)
    .execute();
}
