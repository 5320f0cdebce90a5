import type { Event, Run } from '@berth/client';

export function sampleEvent(type: string, data: unknown, more: Partial<Event> = {}): Event {
  return {
    schema: 'berth.event/v1',
    run: 'r-0000000000000001',
    seq: 1,
    at: '2026-11-21T12:04:02.000Z',
    type,
    step: null,
    importance: 'normal',
    title: type,
    data,
    ...more,
  };
}

const startedAt = '2026-11-21T12:04:00.000Z';

/** A run in the middle of its agent step, begun at 12:04:00. */
export function sampleRun(more: Partial<Run> = {}): Run {
  const step = (kind: string, state: Run['steps'][number]['state'], durationMs: number | null) => ({
    name: kind,
    kind,
    state,
    startedAt: state === 'pending' ? null : startedAt,
    durationMs,
    costUsd: 0,
    attempts: 1,
    sentence: '',
  });
  const limit = (name: Run['limits'][number]['name'], used: number, cap: number) => ({
    name,
    used,
    reserved: 0,
    cap,
    owner: 'run' as const,
    per: null,
    until: null,
  });
  return {
    schema: 'berth.run/v1',
    id: 'r-0000000000000001',
    task: 't-0000000000000001',
    title: 'fix flaky date test',
    project: 'web',
    branch: 'berth/fix-flaky-date-test-000001',
    attempt: 1,
    setup: { restored: 0, ran: 0 },
    parent: null,
    status: {
      state: 'running',
      code: null,
      reason: 'agent: model call open (primary)',
      next: null,
      since: startedAt,
      lastEventAt: startedAt,
      step: 'agent',
      round: null,
      queue: null,
    },
    blueprint: { name: 'default', source: 'detected' },
    base: { ref: 'main', commit: 'c0ffee1122334455' },
    models: { primary: ['model'] },
    simulated: false,
    secrets: { exposed: [], brokered: [] },
    steps: [
      step('prefetch', 'passed', 3_000),
      step('setup', 'passed', 21_000),
      step('agent', 'running', null),
      step('check', 'pending', null),
      step('verify', 'pending', null),
      step('propose', 'pending', null),
    ],
    limits: [
      limit('cost', 0.42, 2),
      limit('tokens', 118_000, 1_500_000),
      limit('steps', 31, 120),
      limit('minutes', 0.5, 30),
      limit('rounds', 0, 2),
    ],
    costUsd: 0.42,
    tokens: { in: 100_000, out: 18_000, cached: 90_000 },
    changes: null,
    proposal: null,
    pullRequest: null,
    gate: null,
    seq: 12,
    createdAt: startedAt,
    endedAt: null,
    ...more,
  };
}
