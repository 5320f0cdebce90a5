import type { ProjectSnapshots } from '../domain/ports/project-snapshots.ts';
import type { ProjectSnapshotsView } from '../domain/snapshot-views.ts';

/** Snapshots of every project of the fake; tests put them there. */
export class FakeSnapshots implements ProjectSnapshots {
  kept: ProjectSnapshotsView['snapshots'] = [];

  async list(projectId: string): Promise<ProjectSnapshotsView> {
    return {
      schema: 'berth.snapshots/v1',
      project: projectId,
      snapshots: this.kept,
      storedBytes: this.kept.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      mostStoredBytes: 4 * 1024 ** 3,
    };
  }

  async clear(projectId: string): Promise<{ removed: number; storedBytes: number }> {
    const { storedBytes, snapshots } = await this.list(projectId);
    this.kept = [];
    return { removed: snapshots.length, storedBytes };
  }
}
