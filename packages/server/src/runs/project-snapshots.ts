import { BerthError } from '../domain/errors/index.ts';
import type { ProjectSnapshots } from '../domain/ports/project-snapshots.ts';
import type { Database } from '../store/database.ts';
import { clearSnapshots } from '../store/snapshots/clear-snapshots.ts';
import { snapshotRetention } from '../store/snapshots/expire-snapshots.ts';
import { listSnapshots } from '../store/snapshots/list-snapshots.ts';
import { removeBlobs } from '../store/snapshots/remove-blobs.ts';

/** Snapshots of setup as people see them. */
export function projectSnapshotsOf(db: Database): ProjectSnapshots {
  return {
    async list(projectId) {
      const row = await db.sql
        .selectFrom('projects')
        .select('name')
        .where('id', '=', projectId)
        .executeTakeFirst();
      if (row === undefined) throw new BerthError('NOT_FOUND', `There is no project ${projectId}.`);
      const found = await listSnapshots(db, projectId);
      return {
        schema: 'berth.snapshots/v1',
        project: row.name,
        snapshots: found.map(({ runId, ...snapshot }) => ({ ...snapshot, run: runId })),
        storedBytes: found.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
        mostStoredBytes: snapshotRetention.mostBytesPerProject,
      };
    },
    async clear(projectId) {
      const gone = await clearSnapshots(db, projectId);
      await removeBlobs(
        db,
        gone.map(({ blob }) => blob),
      );
      return {
        removed: gone.length,
        storedBytes: gone.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      };
    },
  };
}
