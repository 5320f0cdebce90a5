import type { RunState } from '../../domain/run-state.ts';
import type { StripCell } from '../../domain/run-views.ts';
import type { Origin } from '../../domain/task.ts';
import type { RunStateName, Status } from '../../domain/status.ts';
import type { LogHead } from '../events/chain.ts';
import type { Database } from '../database.ts';
import { withQueue } from './projection.ts';
import { queuePlaces, type QueuePlace } from './queue-places.ts';

/** A run as lists show it and as its owner starts from. */
export interface RunRecord {
  readonly id: string;
  readonly taskId: string;
  readonly projectId: string;
  readonly title: string;
  readonly branch: string;
  /** Principal id whose the task is. */
  readonly ownerId: string;
  /** The run it was made from, and after which entry of that. */
  readonly parent: { readonly run: string; readonly seq: number } | null;
  readonly origin: Origin;
  readonly attempt: number;
  readonly createdAt: string;
  readonly head: LogHead;
  readonly owner: { readonly worker: string; readonly epoch: number } | null;
  /** Whether it waits for an owner. */
  readonly waiting: boolean;
  /** Inbox entries that no event has taken in yet. */
  readonly inboxCount: number;
  readonly status: Status;
  readonly use: RunState['use'];
  readonly pullRequest: RunState['pullRequest'];
  readonly changes: { readonly files: number; readonly added: number; readonly removed: number } | null;
  readonly strip: readonly StripCell[];
  /** The gate it waits at. */
  readonly gate: RunState['gate'];
}

/** The columns `toRunRecord` needs. */
export const runColumns = [
  'runs.id',
  'runs.task_id',
  'runs.project_id',
  'tasks.title',
  'tasks.branch',
  'tasks.owner',
  'runs.parent',
  'runs.attempt',
  'runs.created_at',
  'runs.seq',
  'runs.head',
  'runs.owner_worker',
  'runs.owner_epoch',
  'runs.waiting',
  'runs.queue_code',
  'runs.queue_reason',
  'runs.inbox_count',
  'runs.state',
  'runs.code',
  'runs.reason',
  'runs.next',
  'runs.since',
  'runs.last_event_at',
  'runs.step',
  'runs.round_n',
  'runs.round_of',
  'runs.cost_usd',
  'runs.input_tokens',
  'runs.output_tokens',
  'runs.cached_tokens',
  'runs.model_calls',
  'runs.active_ms',
  'runs.pull_request',
  'runs.parent_seq',
  'runs.changes',
  'runs.strip',
  'tasks.origin',
  'runs.gate',
] as const;

export interface RunRow {
  readonly id: string;
  readonly task_id: string;
  readonly project_id: string;
  readonly title: string;
  readonly branch: string;
  readonly owner: string;
  readonly parent: string | null;
  readonly attempt: number;
  readonly created_at: Date;
  readonly seq: number;
  readonly head: string;
  readonly owner_worker: string | null;
  readonly owner_epoch: number;
  readonly waiting: boolean;
  readonly queue_code: string | null;
  readonly queue_reason: string | null;
  readonly inbox_count: number;
  readonly state: string;
  readonly code: string | null;
  readonly reason: string;
  readonly next: string | null;
  readonly since: Date;
  readonly last_event_at: Date | null;
  readonly step: string | null;
  readonly round_n: number | null;
  readonly round_of: number | null;
  readonly cost_usd: number;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly cached_tokens: string;
  readonly model_calls: number;
  readonly active_ms: string;
  readonly pull_request: unknown;
  readonly parent_seq: number | null;
  readonly changes: unknown;
  readonly strip: unknown;
  readonly origin: unknown;
  readonly gate: unknown;
}

/** Records of rows, with the places of those that wait. @throws BerthError `DATABASE_UNAVAILABLE` */
export async function toRunRecords(db: Database, rows: readonly RunRow[]): Promise<RunRecord[]> {
  const places = await queuePlaces(
    db,
    rows.filter(isInLine).map((row) => row.id),
  );
  return rows.map((row) => toRunRecord(row, places.get(row.id) ?? null));
}

function isInLine(row: RunRow): boolean {
  return row.waiting && row.owner_worker === null;
}

function toRunRecord(row: RunRow, place: QueuePlace | null): RunRecord {
  const status = {
    state: row.state as RunStateName,
    code: row.code,
    reason: row.reason,
    next: row.next,
    since: row.since.toISOString(),
    lastEventAt: row.last_event_at?.toISOString() ?? null,
    step: row.step,
    round: row.round_n === null || row.round_of === null ? null : { n: row.round_n, of: row.round_of },
  };
  const isWaiting = isInLine(row);
  return {
    id: row.id,
    taskId: row.task_id,
    projectId: row.project_id,
    title: row.title,
    branch: row.branch,
    ownerId: row.owner,
    parent: row.parent === null ? null : { run: row.parent, seq: row.parent_seq ?? 0 },
    origin: row.origin as Origin,
    attempt: row.attempt,
    createdAt: row.created_at.toISOString(),
    head: { seq: row.seq, hash: row.head },
    owner: row.owner_worker === null ? null : { worker: row.owner_worker, epoch: row.owner_epoch },
    waiting: isWaiting,
    inboxCount: row.inbox_count,
    status: withQueue(status, isWaiting ? { code: row.queue_code, reason: row.queue_reason, place } : null),
    use: {
      costUsd: row.cost_usd,
      inputTokens: Number(row.input_tokens),
      outputTokens: Number(row.output_tokens),
      cachedTokens: Number(row.cached_tokens),
      modelCalls: row.model_calls,
      activeMs: Number(row.active_ms),
    },
    pullRequest: row.pull_request as RunState['pullRequest'],
    changes: row.changes as RunRecord['changes'],
    strip: (row.strip ?? []) as RunRecord['strip'],
    gate: row.gate as RunState['gate'],
  };
}
