import { clipBytes } from './clip.ts';
import { describe, eventTypes, type EventType, type StoredEvent } from './events/index.ts';
import type { EventSummary, MarkKind } from './run-views.ts';

/** The step an entry belongs to, by its key; null: to the run as a whole. */
export function stepOf(event: StoredEvent): string | null {
  const { data } = event;
  if ('step' in data && typeof data.step === 'string') return data.step;
  return 'key' in data && typeof data.key === 'string' ? data.key : null;
}

/** Whether an entry says that something went wrong: what "next failure" stops at. */
export function isFailure(event: StoredEvent): boolean {
  switch (event.type) {
    case 'command.ended': {
      const { exitCode, timedOut, lost } = event.data.result;
      return exitCode !== 0 || timedOut || lost !== null;
    }
    case 'tool.ended':
      return event.data.isError || (event.data.exitCode ?? 0) !== 0;
    case 'check.judged':
      return event.data.verdict === 'failed';
    case 'step.ended':
      return event.data.outcome === 'failed' || event.data.outcome === 'interrupted';
    case 'egress.decided':
      return !event.data.allowed;
    case 'run.ended':
      return event.data.outcome === 'failed' || event.data.outcome === 'needs_human';
    case 'agent.finished':
      return event.data.result !== 'done';
    case 'model.failed':
    case 'sandbox.lost':
      return true;
    default:
      return false;
  }
}

/** The types among which failures are: the others need not be read to find one. */
export const failureTypes: readonly EventType[] = [
  'command.ended',
  'tool.ended',
  'check.judged',
  'step.ended',
  'egress.decided',
  'run.ended',
  'agent.finished',
  'model.failed',
  'sandbox.lost',
];

/** How the strip marks an entry; null: not at all. */
export function markOf(event: StoredEvent): MarkKind | null {
  switch (event.type) {
    case 'check.judged':
      return event.data.verdict === 'failed' ? 'check' : null;
    case 'egress.decided':
      return event.data.allowed ? null : 'egress';
    case 'message.received':
      return 'message';
    case 'limit.warned':
      return 'limit';
    case 'run.recovered':
    case 'sandbox.lost':
      return 'recovery';
    case 'checkpoint.saved':
      return 'checkpoint';
    case 'step.ended':
    case 'model.failed':
      return isFailure(event) ? 'failure' : null;
    default:
      return null;
  }
}

/** An event without its payload, at most 300 bytes as JSON. */
export function summaryOf(event: StoredEvent): EventSummary {
  const { title, importance } = describe(event);
  const step = stepOf(event);
  return {
    seq: event.seq,
    at: event.at,
    type: event.type,
    step: step === null ? null : clipBytes(step, 32),
    importance,
    title: clipBytes(title, 110),
    failed: isFailure(event),
  };
}

const ranks = { low: 0, normal: 1, high: 2 } as const;

/** The types of at least this importance. */
export function typesFrom(importance: keyof typeof ranks): readonly EventType[] {
  return (Object.keys(eventTypes) as EventType[]).filter(
    (type) => ranks[eventTypes[type].importance] >= ranks[importance],
  );
}
