import { harmlessLine } from '@berth/client';

/** Documents whose fields `--json=?` lists. */
export type DocumentName =
  | 'run'
  | 'task'
  | 'state'
  | 'event'
  | 'proposal'
  | 'doctor'
  | 'project'
  | 'config'
  | 'usage'
  | 'egress'
  | 'status'
  | 'diff'
  | 'message'
  | 'gate'
  | 'version'
  | 'act'
  | 'verdict'
  | 'snapshots';

/** Names of a document's fields, as the API's own schemas have them. */
export async function fieldsOf(name: DocumentName): Promise<readonly string[]> {
  // Only read for this question: schemas take longer to load than most commands take to run.
  const views = await import('@berth/server/domain/views.ts');
  switch (name) {
    case 'run':
      return Object.keys(views.runViewSchema.shape);
    case 'task':
      return Object.keys(views.taskViewSchema.shape);
    case 'state': {
      const { runStateSchema } = await import('@berth/server/domain/run-views.ts');
      return Object.keys(runStateSchema.shape);
    }
    case 'event':
      return Object.keys(views.eventViewSchema.shape);
    case 'proposal':
      return [...Object.keys(views.proposalViewSchema.shape), 'body'];
    case 'doctor':
      return Object.keys(views.doctorViewSchema.shape);
    case 'project': {
      const { projectViewSchema } = await import('@berth/server/config/project-views.ts');
      return Object.keys(projectViewSchema.shape);
    }
    case 'config':
      return ['schema', 'revision', 'config', 'sources', 'file', 'problems', 'warnings'];
    case 'usage':
      return Object.keys((await import('@berth/server/domain/usage.ts')).usageViewSchema.shape);
    case 'egress': {
      const { egressExplainedSchema } = await import('@berth/server/domain/egress-explained.ts');
      return Object.keys(egressExplainedSchema.shape);
    }
    case 'status':
      return Object.keys(views.runViewSchema.shape.status.shape);
    case 'diff':
      return ['schema', 'run', 'diff'];
    case 'message':
      return ['messageId'];
    case 'act':
      return Object.keys((await import('@berth/server/domain/audit-views.ts')).auditActSchema.shape);
    case 'verdict':
      return Object.keys((await import('@berth/server/domain/audit-views.ts')).auditVerdictSchema.shape);
    case 'gate':
      return Object.keys((await import('@berth/server/domain/gate-view.ts')).gateViewSchema.shape);
    case 'snapshots': {
      const { projectSnapshotsViewSchema } = await import('@berth/server/domain/snapshot-views.ts');
      return Object.keys(projectSnapshotsViewSchema.shape);
    }
    case 'version':
      return ['version', 'node'];
  }
}

/** One field a line. */
export async function fieldLines(name: DocumentName): Promise<string> {
  return (await fieldsOf(name)).map((field) => `${harmlessLine(field)}\n`).join('');
}
