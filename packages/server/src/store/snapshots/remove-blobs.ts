import type { Database } from '../database.ts';
import { usedBlobs } from './used-blobs.ts';

/**
 * Removes the bytes of snapshots that are forgotten, but for those another one names. A blob that goes while a run reads it
 * makes that run's setup run for real.
 */
export async function removeBlobs(db: Database, blobs: readonly string[]): Promise<void> {
  if (db.blobs.remove === undefined) return;
  const used = new Set(await usedBlobs(db, blobs));
  for (const blob of new Set(blobs)) {
    if (!used.has(blob)) await db.blobs.remove(blob);
  }
}
