import { expect, test } from 'vitest';
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

test('the id of a message is the receipt that its sender holds', () => {
  const entry = { id: 'm-7', runId: 'r-1', by: 'ben', postedAt: '', request: requests['message']! };
  expect(takeIn(entry, running).events[0]?.data).toMatchObject({ messageId: 'm-7', text: 'Mind the tests' });
});
