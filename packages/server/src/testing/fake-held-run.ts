import { basename } from 'node:path';
import type { StoredEvent } from '../domain/events/index.ts';
import type { LiveFrame } from '../domain/live.ts';
import { foldAll, type RunState } from '../domain/run-state.ts';
import type { RunRow, TaskRow } from '../domain/run-views.ts';
import { statusOf } from '../domain/run-status.ts';
import type { TaskView } from '../domain/views.ts';
import { listed } from '../runs/rows.ts';
import { viewOf } from './fake-run-view.ts';

/** A run of the fake control plane, as it is kept in a file. */
export interface Saved {
  readonly runId: string;
  readonly taskId: string;
  readonly repository: string;
  readonly text: string;
  readonly idempotencyKey: string | null;
  readonly events: StoredEvent[];
  /** Script lines already played. */
  played: number;
  decided: 'merged' | 'closed' | null;
}

export interface Held extends Saved {
  readonly listeners: Set<(frame: LiveFrame | null) => void>;
  player: AbortController | null;
  /** Messages that the agent has not been told yet. */
  untold: { readonly messageId: string; readonly text: string }[];
}

export function foldOf(held: Held): RunState {
  return foldAll(held.runId, held.events);
}

export function belongsTo(run: Held, project: string): boolean {
  return run.repository === project || basename(run.repository) === project;
}

const origin = { kind: 'cli', by: 'tester', url: null } as const;

export function taskViewOf(held: Held): TaskView {
  const state = foldOf(held);
  return {
    schema: 'berth.task/v1',
    id: held.taskId,
    title: state.created?.title ?? '',
    text: held.text,
    project: basename(held.repository),
    origin,
    status: statusOf(state),
    branch: state.created?.branch ?? '',
    runs: [held.runId],
    proposal: state.proposal === null ? null : held.runId,
    createdAt: state.createdAt ?? '',
  };
}

export function runRowOf(held: Held): RunRow {
  const state = foldOf(held);
  const run = viewOf(state, basename(held.repository));
  const { changes = null, strip = [] } = listed(state);
  return {
    schema: 'berth.run-row/v1',
    id: run.id,
    task: run.task,
    title: run.title,
    project: run.project,
    branch: run.branch,
    attempt: run.attempt,
    parent: run.parent,
    status: run.status,
    costUsd: run.costUsd,
    tokens: run.tokens,
    pullRequest: run.pullRequest,
    seq: run.seq,
    createdAt: run.createdAt,
    endedAt: run.endedAt,
    origin,
    changes,
    strip: [...strip],
  };
}

export function taskRowOf(held: Held): TaskRow {
  const { id, title, project, status, branch, costUsd, changes, pullRequest, strip, createdAt } =
    runRowOf(held);
  return {
    schema: 'berth.task-row/v1',
    id: held.taskId,
    title,
    project,
    origin,
    status,
    run: id,
    attempts: 1,
    branch,
    costUsd,
    changes,
    pullRequest,
    strip,
    createdAt,
  };
}
