import type { Transaction } from 'kysely';
import { ZodError } from 'zod';
import { configSchema, type ConfigRevision } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import { applyProjects } from '../store/config/apply-projects.ts';
import { readFileLayer, readObjects } from '../store/config/layers.ts';
import { insertRevision, readNewestRevision, type RevisionRow } from '../store/config/revisions.ts';
import type { Tables } from '../store/tables.ts';
import { deepFreeze, digestOf, mergeLayers, type Merged } from './merge.ts';

/**
 * Merges what the layers say now and makes a revision of it when it differs from the newest; the rows of projects are
 * made with it. Within `changeConfig`, so that replicas with the same change make one.
 */
export async function buildRevision(
  transaction: Transaction<Tables>,
  change: { readonly source: 'file' | 'database'; readonly by: string; readonly nowMs: number },
): Promise<{ readonly number: number; readonly merged: Merged; readonly isNew: boolean }> {
  const file = await readFileLayer(transaction);
  const merged = mergedOrRefused(file?.document ?? null, await readObjects(transaction));
  const { config, sources } = merged;
  const digest = digestOf({ config, sources });
  const newest = await readNewestRevision(transaction);
  if (newest?.digest === digest) return { number: newest.number, merged, isNew: false };
  const number = (newest?.number ?? 0) + 1;
  await insertRevision(transaction, {
    number,
    digest,
    document: config,
    sources,
    source: change.source,
    by: change.by,
  });
  await applyProjects(transaction, config.projects, change.nowMs);
  return { number, merged, isNew: true };
}

function mergedOrRefused(...layers: Parameters<typeof mergeLayers>): Merged {
  try {
    return mergeLayers(...layers);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    const issue = error.issues[0];
    throw new BerthError(
      'CONFIG_INVALID',
      `An object made over the API does not fit any more: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
      { cause: error },
    );
  }
}

/** @throws BerthError `CONFIG_REVISION_GONE` when another version of Berth wrote it in a shape this one does not know */
export function revisionOf(row: Pick<RevisionRow, 'number' | 'document' | 'sources'>): ConfigRevision {
  const parsed = configSchema.safeParse(row.document);
  if (!parsed.success) {
    throw new BerthError(
      'CONFIG_REVISION_GONE',
      `Revision ${row.number} of the configuration has a shape that this version of Berth does not know.`,
      { cause: parsed.error },
    );
  }
  return deepFreeze({ number: row.number, config: parsed.data, sources: row.sources });
}
