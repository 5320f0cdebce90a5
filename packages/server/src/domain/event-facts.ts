import { clipBytes } from './clip.ts';
import { describe, eventTypes, type EventType, type StoredEvent } from './events/index.ts';
import { onEvent, type OnEvent } from './on-event.ts';
import type { EventSummary, MarkKind } from './run-views.ts';

/** The step an entry belongs to, by its key; null: to the run as a whole. */
export function stepOf(event: StoredEvent): string | null {
  const { data } = event;
  if ('step' in data && typeof data.step === 'string') return data.step;
  return 'key' in data && typeof data.key === 'string' ? data.key : null;
}

const failures: OnEvent<boolean> = {
  'command.ended': ({ data: { result } }) => result.exitCode !== 0 || result.timedOut || result.lost !== null,
  'tool.ended': ({ data }) => data.isError || (data.exitCode ?? 0) !== 0,
  'check.judged': ({ data }) => data.verdict === 'failed',
  'step.ended': ({ data }) => data.outcome === 'failed' || data.outcome === 'interrupted',
  'egress.decided': ({ data }) => !data.allowed,
  'run.ended': ({ data }) => data.outcome === 'failed' || data.outcome === 'needs_human',
  'agent.finished': ({ data }) => data.result !== 'done',
  'model.failed': () => true,
  'sandbox.lost': () => true,
  'sandbox.noticed': () => true,
};

/** Whether an entry says that something went wrong: what "next failure" stops at. */
export function isFailure(event: StoredEvent): boolean {
  return onEvent(failures, event) ?? false;
}

/** The types among which failures are: the others need not be read to find one. */
export const failureTypes = Object.keys(failures) as EventType[];

const marks: OnEvent<MarkKind | null> = {
  'check.judged': ({ data }) => (data.verdict === 'failed' ? 'check' : null),
  'egress.decided': ({ data }) => (data.allowed ? null : 'egress'),
  'message.received': () => 'message',
  'limit.warned': () => 'limit',
  'run.recovered': () => 'recovery',
  'sandbox.lost': () => 'recovery',
  'checkpoint.saved': () => 'checkpoint',
  'step.ended': (event) => (isFailure(event) ? 'failure' : null),
  'model.failed': () => 'failure',
};

/** How the strip marks an entry; null: not at all. */
export function markOf(event: StoredEvent): MarkKind | null {
  return onEvent(marks, event) ?? null;
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
