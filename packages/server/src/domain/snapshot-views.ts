import { z } from 'zod';

export const snapshotViewSchema = z
  .object({
    /** Names everything that the result of setup depends on: 64 hex digits. */
    key: z.string(),
    madeAt: z.string(),
    /** The run in whose work sandbox it was made. */
    run: z.string(),
    /** When a sandbox asked for it last; when it was made, where none did. */
    lastUsedAt: z.string(),
    files: z.number(),
    /** Unpacked, as a tar. */
    bytes: z.number(),
    /** What it takes where it is kept. */
    storedBytes: z.number(),
  })
  .meta({ id: 'Snapshot' });

export const projectSnapshotsViewSchema = z
  .object({
    schema: z.literal('berth.snapshots/v1'),
    project: z.string(),
    snapshots: z.array(snapshotViewSchema),
    storedBytes: z.number(),
    /** What all of the project may take; the ones not used for longest go first. */
    mostStoredBytes: z.number(),
  })
  .meta({ id: 'ProjectSnapshots' });
export type ProjectSnapshotsView = z.infer<typeof projectSnapshotsViewSchema>;

export const snapshotsClearedSchema = z.object({ removed: z.number(), storedBytes: z.number() });
export type SnapshotsCleared = z.infer<typeof snapshotsClearedSchema>;
