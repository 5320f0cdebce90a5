import { clipBytes } from '../domain/clip.ts';
import type { RunState } from '../domain/run-state.ts';
import type { RunRow, StripCell, TaskRow } from '../domain/run-views.ts';
import { isOutcome } from '../domain/status.ts';
import type { RunProjection } from '../store/runs/projection.ts';
import type { ListedRun, ListedTask } from '../store/runs/list-rows.ts';
import { changesOf } from './views.ts';

/** A row of a list has at most so many bytes as JSON. */
export const maxRowBytes = 1_024;
const maxCells = 10;

/** The part of a run's projection that only lists need. Pure. */
export function listed(state: RunState): Pick<RunProjection, 'changes' | 'strip'> {
  const changes = changesOf(state.proposal, state.checkpoint);
  return {
    changes:
      changes === null ? null : { files: changes.files, added: changes.added, removed: changes.removed },
    strip: stripOf(state),
  };
}

/** Each kind of step once, with the time of all its rounds and how the last one ended. */
function stripOf(state: RunState): StripCell[] {
  const cells = new Map<string, StripCell>();
  for (const { kind, state: outcome, durationMs } of state.steps) {
    const before = cells.get(kind)?.ms ?? 0;
    cells.set(kind, { kind, state: outcome, ms: durationMs === null ? before : before + durationMs });
  }
  return [...cells.values()].slice(0, maxCells);
}

/** A run in a list, from its row alone. */
export function runRow({ record, project }: ListedRun): RunRow {
  const { use, status } = record;
  return fitted({
    schema: 'berth.run-row/v1',
    id: record.id,
    task: record.taskId,
    title: record.title,
    project,
    branch: record.branch,
    attempt: record.attempt,
    parent: record.parent,
    status,
    costUsd: rounded(use.costUsd),
    tokens: { in: use.inputTokens, out: use.outputTokens, cached: use.cachedTokens },
    ...common(record),
    seq: record.head.seq,
    createdAt: record.createdAt,
    endedAt: isOutcome(status.state) ? status.since : null,
  });
}

/** A task in a list: its newest run's row, and what its runs come to together. */
export function taskRow({ record, project, attempts, costUsd, createdAt }: ListedTask): TaskRow {
  return fitted({
    schema: 'berth.task-row/v1',
    id: record.taskId,
    title: record.title,
    project,
    status: record.status,
    run: record.id,
    attempts,
    branch: record.branch,
    costUsd: rounded(costUsd),
    ...common(record),
    createdAt,
  });
}

function common({ origin, changes, strip, pullRequest: pull }: ListedRun['record']) {
  return {
    origin: { kind: origin.kind, by: origin.by, url: origin.url },
    changes,
    strip: strip.map((cell) => ({ ...cell })),
    pullRequest: pull === null ? null : { number: pull.number, url: pull.url, draft: pull.draft },
  };
}

/** A hundredth of a cent is exact enough for lists. */
function rounded(usd: number): number {
  return Math.round(usd * 10_000) / 10_000;
}

/** Cuts what is longest until the row fits: what is cut is whole on the run's own page. */
function fitted<Row extends RunRow | TaskRow>(row: Row): Row {
  const most = [
    [400, 200, 200, 100],
    [160, 80, 80, 60],
    [60, 0, 40, 40],
  ] as const;
  let fit = row;
  for (const [reason, next, url, name] of most) {
    if (Buffer.byteLength(JSON.stringify(fit)) <= maxRowBytes) return fit;
    const { status, origin, pullRequest } = row;
    fit = {
      ...fit,
      title: clipBytes(row.title, reason),
      project: clipBytes(row.project, name),
      branch: clipBytes(row.branch, name),
      status: {
        ...status,
        reason: clipBytes(status.reason, reason),
        next: next === 0 || status.next === null ? null : clipBytes(status.next, next),
      },
      origin: {
        ...origin,
        by: clipBytes(origin.by, name),
        // A part of an address leads nowhere.
        url: origin.url === null || origin.url.length > url ? null : origin.url,
      },
      pullRequest:
        pullRequest === null || pullRequest.url.length <= url
          ? pullRequest
          : { ...pullRequest, url: name === 40 ? '' : pullRequest.url },
    };
  }
  if (Buffer.byteLength(JSON.stringify(fit)) <= maxRowBytes) return fit;
  return { ...fit, strip: [] };
}
