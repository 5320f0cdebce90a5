import { errorRegistry, isErrorCode } from '../../domain/errors/index.ts';
import type { RunState } from '../../domain/run-state.ts';
import type { Status } from '../../domain/status.ts';

/** What `runs` shows of a run's state; made by a pure function of the fold, stored with every append. */
export interface RunProjection {
  readonly status: Omit<Status, 'queue'>;
  readonly use: RunState['use'];
  readonly pullRequest: RunState['pullRequest'];
}

/** The fold of the log up to and including the new entries, as columns. */
export type Project = (state: RunState) => RunProjection;

/** Column values of a projection. */
export function projectionColumns(projection: RunProjection) {
  const { status, use, pullRequest } = projection;
  return {
    state: status.state,
    code: status.code,
    reason: status.reason.replaceAll('\u0000', '\u2400'),
    next: status.next,
    since: status.since,
    last_event_at: status.lastEventAt,
    step: status.step,
    round_n: status.round?.n ?? null,
    round_of: status.round?.of ?? null,
    cost_usd: use.costUsd,
    input_tokens: use.inputTokens,
    output_tokens: use.outputTokens,
    cached_tokens: use.cachedTokens,
    model_calls: use.modelCalls,
    active_ms: Math.round(use.activeMs),
    pull_request: pullRequest === null ? null : JSON.stringify(pullRequest),
  };
}

/** The status of a run that waits says why it waits, and at which place. */
export function withQueue(
  status: Omit<Status, 'queue'>,
  queue: { readonly code: string | null; readonly position: number | null },
): Status {
  const queued = queue.position === null ? null : { position: queue.position, etaSec: null };
  if (queue.code === null || !isErrorCode(queue.code)) return { ...status, queue: queued };
  const { sentence, next } = errorRegistry[queue.code];
  return { ...status, code: queue.code, reason: sentence, next, queue: queued };
}
