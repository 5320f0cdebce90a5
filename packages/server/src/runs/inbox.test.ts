import { expect, test } from 'vitest';
import type { GateRecord } from '../domain/gates.ts';
import type { InboxRequest } from '../domain/inbox.ts';
import { emptyRunState, type RunState } from '../domain/run-state.ts';
import type { Outcome } from '../domain/status.ts';
import { takeIn } from './inbox.ts';

const running = emptyRunState('r-1');
const paused: RunState = {
  ...running,
  paused: { by: 'ann', reason: 'lunch', at: '2026-01-01T00:00:00.000Z' },
};
const cancelling: RunState = { ...running, cancelRequestedBy: 'ann' };
const ended = (outcome: Outcome): RunState => ({
  ...running,
  ended: { outcome, code: null, sentence: '', next: null, at: '2026-01-01T00:00:00.000Z' },
});

const requests: Readonly<Record<string, InboxRequest>> = {
  message: { kind: 'message', text: 'Mind the tests', mode: 'now' },
  pause: { kind: 'pause', reason: 'to look' },
  resume: { kind: 'resume', limits: { steps: 5 } },
  cancel: { kind: 'cancel' },
};

/** What each request comes to in each state: event types, and the code the work stops with. */
const table: readonly (readonly [string, RunState, readonly (readonly [string, string, string | null])[]])[] =
  [
    [
      'a running run',
      running,
      [
        ['message', 'message.received', null],
        ['pause', 'run.paused', 'RUN_PAUSED'],
        ['resume', '', null],
        ['cancel', 'run.cancel-requested', 'RUN_CANCELLED'],
      ],
    ],
    [
      'a paused run',
      paused,
      [
        ['message', 'message.received', null],
        ['pause', '', null],
        ['resume', 'run.resumed', null],
        ['cancel', 'run.cancel-requested', 'RUN_CANCELLED'],
      ],
    ],
    ['a run that is being cancelled', cancelling, [['cancel', '', null]]],
    ...(['needs_human', 'failed'] as const).map(
      (outcome) =>
        [
          `a run that ended as ${outcome}`,
          ended(outcome),
          [
            ['message', '', null],
            ['pause', '', null],
            ['resume', 'run.resumed', null],
            ['cancel', '', null],
          ] as const,
        ] as const,
    ),
    ...(['succeeded', 'cancelled'] as const).map(
      (outcome) =>
        [
          `a run that ended as ${outcome}`,
          ended(outcome),
          [
            ['message', '', null],
            ['pause', '', null],
            ['resume', '', null],
            ['cancel', '', null],
          ] as const,
        ] as const,
    ),
  ];

test.each(table)('what is asked of %s', (_name, state, rows) => {
  for (const [kind, event, code] of rows) {
    const entry = {
      id: 'i-1',
      runId: 'r-1',
      by: 'ben',
      postedAt: '2026-01-01T00:00:00.000Z',
      request: requests[kind]!,
    };
    const { events, stop } = takeIn(entry, state);
    expect([kind, events.map((one) => one.type).join(), stop?.code ?? null]).toEqual([kind, event, code]);
    for (const one of events) expect(one.data).toMatchObject({ by: 'ben' });
  }
});

test('a decision counts once, for the gate that is open, and not from whose task it is', () => {
  const gate: GateRecord = {
    id: 'g-1-1',
    at: 'start',
    reason: '',
    objections: [],
    proposal: null,
    selfApproval: false,
    requesters: ['ann', 'service:ci'],
    expiresAt: '2126-01-01T00:00:00.000Z',
    openedAt: '2026-01-01T00:00:00.000Z',
    decision: null,
    isSetAside: false,
  };
  const waiting: RunState = { ...running, gate, gates: [gate] };
  const decided = (
    state: RunState,
    by: string,
    over: Partial<Extract<InboxRequest, { kind: 'gate' }>> = {},
  ) => {
    const request: InboxRequest = {
      kind: 'gate',
      gateId: 'g-1-1',
      verdict: 'approved',
      comment: null,
      alsoBy: [],
      ...over,
    };
    return takeIn({ id: 'i-1', runId: 'r-1', by, postedAt: '', request }, state).events.map(
      (one) => one.data,
    );
  };
  expect(decided(waiting, 'ben')).toEqual([
    { gateId: 'g-1-1', verdict: 'approved', by: 'ben', comment: null, requestId: 'i-1' },
  ]);
  expect(decided(waiting, 'ben', { verdict: 'refused', comment: 'no' })).toMatchObject([{ comment: 'no' }]);
  expect(decided(waiting, 'ann', { verdict: 'refused' })).toHaveLength(1);
  for (const by of ['ann', 'service:ci']) expect(decided(waiting, by)).toEqual([]);
  expect(decided(waiting, 'service:bot', { alsoBy: ['ann'] })).toEqual([]);
  expect(decided(waiting, 'ben', { gateId: 'g-1-2' })).toEqual([]);
  expect(decided(running, 'ben')).toEqual([]);
});

test('the id of a message is the receipt that its sender holds', () => {
  const entry = { id: 'm-7', runId: 'r-1', by: 'ben', postedAt: '', request: requests['message']! };
  expect(takeIn(entry, running).events[0]?.data).toMatchObject({ messageId: 'm-7', text: 'Mind the tests' });
});
