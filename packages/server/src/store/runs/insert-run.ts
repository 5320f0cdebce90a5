import type { Transaction } from 'kysely';
import type { PreparedAppend } from '../events/prepare-append.ts';
import type { Tables } from '../tables.ts';
import { projectionColumns, type RunProjection } from './projection.ts';

/** Inserts a run with its first entries, within the caller's transaction. */
export async function insertRun(
  transaction: Transaction<Tables>,
  run: {
    readonly id: string;
    readonly taskId: string;
    readonly projectId: string;
    readonly parent: { readonly run: string; readonly seq: number } | null;
    readonly attempt: number;
    readonly configRevision?: number;
    readonly createdAtMs: number;
    /** Higher goes first within its project. */
    readonly priority?: number;
    readonly prepared: PreparedAppend;
    readonly projection: RunProjection;
  },
): Promise<void> {
  const { id, prepared } = run;
  await transaction
    .insertInto('runs')
    .values({
      id,
      task_id: run.taskId,
      project_id: run.projectId,
      parent: run.parent?.run ?? null,
      parent_seq: run.parent?.seq ?? null,
      attempt: run.attempt,
      config_revision: run.configRevision ?? null,
      created_at: new Date(run.createdAtMs),
      priority: run.priority ?? 0,
      seq: prepared.to.seq,
      head: prepared.to.hash,
      ...projectionColumns(run.projection),
    })
    .execute();
  await transaction
    .insertInto('events')
    .values(
      prepared.rows.map((row) => ({
        run_id: id,
        seq: row.seq,
        type: row.type,
        version: row.version,
        at: row.at,
        payload_hash: row.payloadHash,
        prev_hash: row.prevHash,
        hash: row.hash,
      })),
    )
    .execute();
  await transaction
    .insertInto('event_payloads')
    .values(
      prepared.rows.map((row) => ({
        run_id: id,
        seq: row.seq,
        data: row.data,
        blob: row.blob,
        erased_at: null,
      })),
    )
    .execute();
}
