import { gateWords, minuteOf, whoMay, type GateRecord } from './gates.ts';
import type { RunState } from './run-state.ts';
import type { RunStateName, Status } from './status.ts';

/** What admission knows about a run that waits; null when it does not wait. */
export interface QueueFacts {
  readonly code: string;
  readonly sentence: string;
  readonly position: number;
  readonly etaSec: number | null;
}

/**
 * The one status sentence of a run: state, reason, since, what happens next. Pure; every surface shows its
 * words as they are and derives nothing.
 */
export function statusOf(state: RunState, queue: QueueFacts | null = null): Status {
  const at = state.lastEventAt ?? state.createdAt ?? new Date(0).toISOString();
  const base = {
    lastEventAt: state.lastEventAt,
    queue: null,
    step: null,
    round: roundOf(state),
    code: null,
    next: null,
  };
  if (state.ended !== null) {
    const { outcome, code, sentence, next, at: since } = state.ended;
    return { ...base, state: outcome, code, reason: sentence, next, since };
  }
  const { gate } = state;
  if (gate !== null) {
    const code = gateCodes[gate.at];
    return {
      ...base,
      state: 'paused',
      code,
      reason: `Waits for approval ${gateWords[gate.at]}${reasonOf(gate)}; ${whoMay(gate)} may decide until ${minuteOf(gate.expiresAt)}`,
      next: `berth approve ${state.runId} · berth refuse ${state.runId}`,
      since: gate.openedAt,
      step: currentStep(state)?.kind ?? null,
    };
  }
  if (state.paused !== null) {
    return {
      ...base,
      state: 'paused',
      reason: state.paused.reason,
      next: `berth resume ${state.runId}`,
      since: state.paused.at,
      step: currentStep(state)?.kind ?? null,
    };
  }
  if (queue !== null || state.steps.length === 0) {
    return {
      ...base,
      state: queue === null && state.plan !== null ? 'running' : 'queued',
      code: queue?.code ?? null,
      reason: queue?.sentence ?? (state.plan === null ? 'Waits for a worker' : 'Starting'),
      since: state.createdAt ?? at,
      queue: queue === null ? null : { position: queue.position, etaSec: queue.etaSec },
    };
  }
  const step = currentStep(state);
  return {
    ...base,
    state: 'running',
    reason:
      state.cancelRequestedBy === null ? doing(state) : `Stopping, cancelled by ${state.cancelRequestedBy}`,
    step: step?.kind ?? null,
    since: step?.startedAt ?? at,
  };
}

const gateCodes = {
  start: 'GATE_START',
  proposal: 'GATE_PROPOSAL',
  objection: 'GATE_OBJECTION',
} as const;

function reasonOf({ at, reason }: GateRecord): string {
  return at === 'start' ? '' : ` (${reason})`;
}

function currentStep(state: RunState): RunState['steps'][number] | undefined {
  return state.steps.findLast((step) => step.state === 'running');
}

function doing(state: RunState): string {
  const step = currentStep(state);
  if (step === undefined) return 'Between two steps';
  const call = state.open.at(-1);
  const command = Object.values(state.commands).findLast(
    (entry) => entry.end === null && entry.step === step.key,
  );
  const round = step.round === 0 ? '' : `, round ${step.round}`;
  if (command !== undefined)
    return `${step.kind}: ${command.id.split('/').slice(1).join('/') || 'a command'} runs${round}`;
  if (call === undefined) return `${step.kind}${round}`;
  return call.kind === 'model'
    ? `${step.kind}: model call open (${call.title})${round}`
    : `${step.kind}: ${call.title}${round}`;
}

function roundOf(state: RunState): Status['round'] {
  const of = state.plan?.limits.rounds ?? 0;
  const n = Math.max(0, ...state.steps.map((step) => step.round));
  return n === 0 ? null : { n, of };
}

/** Whether a state is final: nothing happens any more unless somebody asks. */
export function isEnded(state: RunStateName): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'needs_human';
}
