import { ordinal } from '../../domain/budgets.ts';
import { errorRegistry, isErrorCode } from '../../domain/errors/index.ts';
import type { RunState } from '../../domain/run-state.ts';
import type { StripCell } from '../../domain/run-views.ts';
import type { Status } from '../../domain/status.ts';
import { toStorable } from '../events/storable.ts';
import type { QueuePlace } from './queue-places.ts';

/** What `runs` shows of a run's state; made by a pure function of the fold, stored with every append. */
export interface RunProjection {
  readonly status: Omit<Status, 'queue'>;
  readonly use: RunState['use'];
  readonly pullRequest: RunState['pullRequest'];
  readonly changes?: { readonly files: number; readonly added: number; readonly removed: number } | null;
  readonly strip?: readonly StripCell[];
  /** The gate it waits at. */
  readonly gate: RunState['gate'];
}

/** The fold of the log up to and including the new entries, as columns. */
export type Project = (state: RunState) => RunProjection;

/** Column values of a projection. */
export function projectionColumns(projection: RunProjection) {
  const { status, use, pullRequest, gate, changes = null, strip = [] } = projection;
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
    changes: changes === null ? null : JSON.stringify(changes),
    strip: strip.length === 0 ? null : JSON.stringify(strip),
    gate: gate === null ? null : JSON.stringify(toStorable(gate)),
    gate_expires_at: gate === null ? null : storedInstant(gate.expiresAt),
  };
}

/** A log that nobody wrote may say anything; then the gate expires at once. */
function storedInstant(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}

/** Why a run waits, as admission stored it, and where it stands now. */
export interface Queue {
  readonly code: string | null;
  /** Without the place. */
  readonly reason: string | null;
  readonly place: QueuePlace | null;
}

/** The status of a run that waits says why it waits, and at which place; null when it does not wait. */
export function withQueue(status: Omit<Status, 'queue'>, queue: Queue | null): Status {
  if (queue === null) return { ...status, queue: null };
  const { code, reason, place } = queue;
  const queued = place === null ? null : { position: place.position, etaSec: place.etaSec };
  if (place?.noWorker === true) {
    const { sentence, next } = errorRegistry.QUEUE_NO_WORKER;
    return {
      ...status,
      code: 'QUEUE_NO_WORKER',
      reason: sentence,
      next,
      queue: { position: place.position, etaSec: null },
    };
  }
  if (code === null || !isErrorCode(code)) return { ...status, queue: queued };
  const { sentence, next } = errorRegistry[code];
  const why = reason ?? sentence.replace(/\.$/, '');
  return {
    ...status,
    code,
    reason: place === null ? why : `${why}; ${ordinal(place.position)} in line`,
    next,
    queue: queued,
  };
}
