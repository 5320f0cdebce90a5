import type { ActObject, VisibleProjects } from '../access.ts';
import type { RunLimits } from '../limits.ts';
import type { LiveFrame } from '../live.ts';
import type { Origin, RunOptions } from '../task.ts';
import type { DoctorView, EventView, ProposalView, RunView, TaskView } from '../views.ts';
import type { Gates } from './gates.ts';
import type { ProjectSnapshots } from './project-snapshots.ts';
import type { EventType } from '../events/index.ts';
import type { RunRow } from '../run-views.ts';
import type { LiveReading } from './live-reading.ts';
import type { RunMaking, RunReading } from './run-reading.ts';

export interface CreateTask {
  readonly repository: string;
  readonly text: string;
  /** Instead of the first line of the text. */
  readonly title?: string;
  readonly options: RunOptions;
  readonly origin: { readonly kind: Origin['kind']; readonly by: string; readonly url?: string | null };
  /** Principal id whose task it is; `origin.by` unless somebody hands it in for another. */
  readonly owner?: string;
  /** The same key answers the same task instead of making a second one. */
  readonly idempotencyKey: string | null;
}

export interface ListFilter {
  /** Nothing outside of these is answered. */
  readonly visible: VisibleProjects;
  readonly state?: RunView['status']['state'];
  readonly project?: string;
  readonly cursor?: string;
  /** 1 to 200. */
  readonly limit: number;
}

/** What an address can name. A proposal has the id of its run. */
export const objectKinds = [
  'project',
  'task',
  'run',
  'proposal',
  'gate',
  'campaign',
  'schedule',
  'delivery',
  'trigger',
] as const;
export type ObjectKind = (typeof objectKinds)[number];

/** An object as found: its whole id, and what rights on it are decided by. */
export interface Located extends ActObject {
  readonly id: string;
}

/**
 * What the API asks of the rooms below it; `runs/control-plane.ts` implements it. Ids take unique prefixes
 * (`NOT_FOUND`, `AMBIGUOUS_ID`); `latest` is the newest run. Rights were decided before it is asked: it answers
 * whatever it is asked, within `visible` where that is given.
 */
export interface ControlPlane extends RunReading, RunMaking, LiveReading {
  /** What waits for a person's approval. */
  readonly gates: Gates;
  /** What the setup of projects made, kept for later runs. */
  readonly snapshots: ProjectSnapshots;
  /**
   * The object that a text from an address means (an id, a unique prefix, `latest`; a project also by name), looked for
   * among the visible projects alone: what lies elsewhere does not exist.
   * @throws BerthError `NOT_FOUND`, `AMBIGUOUS_ID`
   */
  locate(kind: ObjectKind, text: string, visible: VisibleProjects): Promise<Located>;
  /**
   * The project a repository belongs to, or null when there is none yet. The repository is put into its one form first.
   * @throws BerthError `REPO_*`
   */
  projectOfRepository(repository: string): Promise<string | null>;
  createTask(request: CreateTask): Promise<{ readonly task: TaskView; readonly run: RunView }>;
  getTask(id: string): Promise<TaskView>;
  getRun(id: string): Promise<RunView>;
  listRuns(filter: ListFilter): Promise<{ readonly runs: readonly RunRow[]; readonly next: string | null }>;
  listEvents(
    runId: string,
    filter: { afterSeq: number; limit: number; types?: readonly EventType[] },
  ): Promise<readonly EventView[]>;
  /**
   * Settled events from `afterSeq` on, without loss or repetition, and live frames as they come; ends after the
   * run's last event once the run has ended.
   */
  follow(
    runId: string,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly event: EventView } | { readonly frame: LiveFrame }>;
  /** The whole output of a command or tool call, by its id in the log; a stream of bytes. */
  output(runId: string, callId: string): Promise<AsyncIterable<Uint8Array>>;
  /** Unified diff of the newest proposal or checkpoint against the base. */
  diff(runId: string): Promise<string>;
  cancel(runId: string, by: string): Promise<RunView>;
  pause(runId: string, by: string, reason: string): Promise<RunView>;
  /** Goes on after a pause, a crash, or an end by a limit or for a person; limits can be raised. */
  resume(runId: string, by: string, limits: Partial<RunLimits>): Promise<RunView>;
  steer(
    runId: string,
    by: string,
    text: string,
    mode: 'now' | 'after_step',
  ): Promise<{ readonly messageId: string }>;
  listProposals(filter: {
    project?: string;
    limit: number;
    visible: VisibleProjects;
  }): Promise<readonly ProposalView[]>;
  getProposal(id: string): Promise<ProposalView & { readonly body: string }>;
  proposalDiff(id: string): Promise<string>;
  mergeProposal(id: string, by: string): Promise<ProposalView>;
  closeProposal(id: string, by: string): Promise<ProposalView>;
  doctor(): Promise<DoctorView>;
}
