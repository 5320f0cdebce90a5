import type { VisibleProjects } from '../access.ts';
import type { Importance } from '../events/definition.ts';
import type { EventType } from '../events/index.ts';
import type { RunLimits } from '../limits.ts';
import type { RunFilter } from '../run-filter.ts';
import type {
  CheckpointPlace,
  EventSummary,
  FileList,
  Outline,
  RunRow,
  RunStateView,
  SearchAnswer,
  TaskRow,
} from '../run-views.ts';
import type { EventView, RunView, TaskView } from '../views.ts';

export interface RowQuery {
  /** Nothing outside of these is answered. */
  readonly visible: VisibleProjects;
  readonly filter: RunFilter;
  readonly cursor?: string;
  /** 1 to 200. */
  readonly limit: number;
}

export interface EventQuery {
  readonly afterSeq?: number;
  /** The last `limit` entries before this one. */
  readonly beforeSeq?: number;
  readonly limit: number;
  readonly types?: readonly EventType[];
  /** At least as important. */
  readonly importance?: Importance;
  /** Key of a step. */
  readonly step?: string;
}

export interface SearchQuery {
  /** Text that is in the title or the payload, in whatever case; empty: any. */
  readonly text: string;
  readonly failuresOnly: boolean;
  readonly afterSeq: number;
  /** 1 to 100. */
  readonly limit: number;
}

/** A working tree as it was, with which checkpoint it is. */
export interface AtCheckpoint {
  readonly place: CheckpointPlace;
}

/** Reading tasks and runs; part of the control plane. A `seq` beyond the log answers for its newest entry. */
export interface RunReading {
  /** @throws BerthError `CURSOR_INVALID` */
  listTaskRows(
    query: RowQuery,
  ): Promise<{ readonly tasks: readonly TaskRow[]; readonly next: string | null }>;
  /** @throws BerthError `CURSOR_INVALID` */
  listRunRows(query: RowQuery): Promise<{ readonly runs: readonly RunRow[]; readonly next: string | null }>;
  outline(runId: string): Promise<Outline>;
  /** How the run stood after an entry; null: now. */
  stateAt(runId: string, seq: number | null): Promise<RunStateView>;
  /** Entries in order, with their payloads; those whose contents were erased are left out. */
  eventPage(runId: string, query: EventQuery): Promise<readonly EventView[]>;
  summaryPage(runId: string, query: EventQuery): Promise<readonly EventSummary[]>;
  /** @throws BerthError `NOT_FOUND`, `EVENT_ERASED` */
  event(runId: string, seq: number): Promise<EventView>;
  search(runId: string, query: SearchQuery): Promise<SearchAnswer>;
  /**
   * The difference between the working tree at an entry and the base, or the tree at an earlier entry.
   * @throws BerthError `CHECKPOINT_NONE`
   */
  diffAt(
    runId: string,
    at: { readonly seq: number | null; readonly from: number | 'base' },
  ): Promise<
    AtCheckpoint & {
      readonly from: CheckpointPlace | null;
      readonly text: string;
      readonly truncated: boolean;
    }
  >;
  /** @throws BerthError `CHECKPOINT_NONE`, `NOT_FOUND` */
  filesAt(runId: string, at: { readonly seq: number | null; readonly path: string }): Promise<FileList>;
  /** @throws BerthError `CHECKPOINT_NONE`, `NOT_FOUND`, `FILE_NOT_SHOWN`, `FILE_TOO_LARGE` */
  fileAt(
    runId: string,
    at: { readonly seq: number | null; readonly path: string },
  ): Promise<AtCheckpoint & { readonly bytes: Uint8Array }>;
}

export interface RetryRequest {
  readonly by: string;
  /** `same`: the commit the earlier run worked on; `newest`: that of its branch now. */
  readonly base: 'same' | 'newest';
  /** Added to the task's text for this attempt. */
  readonly instruction: string | null;
  readonly limits: Partial<RunLimits>;
}

export interface BranchOffRequest {
  readonly by: string;
  /** The entry to begin after; null: the newest. The nearest checkpoint at or before it is taken. */
  readonly seq: number | null;
  readonly instruction: string | null;
  readonly limits: Partial<RunLimits>;
}

/** Making runs from runs; part of the control plane. */
export interface RunMaking {
  /**
   * Another attempt at the same task, on the task's branch and for its pull request.
   * @throws BerthError `RUN_ACTIVE`, `TASK_CLOSED`
   */
  retry(runId: string, request: RetryRequest): Promise<RunView>;
  /**
   * A new task that begins where a run stood at a checkpoint: with a copy of that working tree, the same base, and a
   * record of what was said and done up to there. It has a branch and a pull request of its own, so that it never
   * moves those of the run it comes from, which may go on.
   * @throws BerthError `CHECKPOINT_NONE`
   */
  branchOff(
    runId: string,
    request: BranchOffRequest,
  ): Promise<AtCheckpoint & { readonly task: TaskView; readonly run: RunView }>;
}
