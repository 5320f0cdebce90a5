import type { ProjectSnapshotsView, SnapshotsCleared } from '../snapshot-views.ts';

/** What people see of the snapshots of setup of a project, and their end. Rights were decided before it is asked. */
export interface ProjectSnapshots {
  /** Newest use first. */
  list(projectId: string): Promise<ProjectSnapshotsView>;
  /** Forgets all of a project; runs that restore one at this moment run their setup instead. */
  clear(projectId: string): Promise<SnapshotsCleared>;
}
