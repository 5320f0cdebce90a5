import * as fc from 'fast-check';
import type { NewEvent, StoredEvent } from '../domain/events/index.ts';

const keys = [
  '0:prefetch',
  '1:setup',
  '2:agent',
  '3:check',
  '2:agent#1',
  '3:check#1',
  '4:verify',
  '5:propose',
];
const kindOf = (key: string): string => /:([a-z]+)/.exec(key)?.[1] ?? 'agent';
const key = fc.constantFrom(...keys);
const id = fc.constantFrom('a', 'b', 'c', 'd');
const purpose = fc.constantFrom('work' as const, 'verify' as const, 'baseline' as const);
const count = fc.nat({ max: 100_000 });
const text = fc.string({ maxLength: 20 });

const result = fc.record({
  exitCode: fc.option(fc.nat({ max: 255 })),
  signal: fc.constantFrom(null, 'SIGKILL'),
  timedOut: fc.boolean(),
  outOfMemory: fc.boolean(),
  truncated: fc.boolean(),
  lost: fc.constantFrom(null, 'sandbox' as const),
  durationMs: count,
});

type Type = NewEvent['type'];
type Data<Name extends Type> = Extract<NewEvent, { type: Name }>['data'];
const of = <Name extends Type>(type: Name, data: fc.Arbitrary<Data<Name>>): fc.Arbitrary<NewEvent> =>
  data.map((one) => ({ type, data: one }) as NewEvent);

/** Any event that moves the state of a run, in any order: a log nobody would write is folded all the same. */
export const anyEvent: fc.Arbitrary<NewEvent> = fc.oneof(
  of('run.owned', fc.record({ worker: id, epoch: count })),
  of('run.paused', fc.record({ by: text, reason: text })),
  of('run.resumed', fc.record({ by: text, limits: fc.constantFrom({}, { steps: 5 }, { costUsd: 3 }) })),
  of('run.cancel-requested', fc.record({ by: text })),
  of(
    'run.ended',
    fc.record({
      outcome: fc.constantFrom('succeeded' as const, 'failed' as const, 'needs_human' as const),
      code: fc.constantFrom(null, 'LIMIT_COST'),
      sentence: text,
      next: fc.constant(null),
    }),
  ),
  of(
    'step.started',
    key.map((one) => ({ key: one, kind: kindOf(one), round: one.endsWith('#1') ? 1 : 0 })),
  ),
  of(
    'step.ended',
    fc.record({
      key,
      kind: fc.constant('agent'),
      outcome: fc.constantFrom('passed' as const, 'failed' as const, 'skipped' as const),
      code: fc.constantFrom(null, 'LIMIT_STEPS', 'CHECKS_FAILED'),
      sentence: text,
      durationMs: count,
    }),
  ),
  of(
    'command.started',
    fc.record({
      id,
      sandboxId: id,
      step: key,
      purpose: fc.constant('test' as const),
      name: text,
      command: text,
    }),
  ),
  of('command.ended', fc.record({ id, result, output: fc.constant(null), outputBytes: count, tail: text })),
  of(
    'sandbox.created',
    fc.record({
      purpose,
      ref: fc.record({ id, driver: fc.constant('fake' as const), bootId: id, address: id }),
      commit: id,
      durationMs: count,
      restoredFrom: fc.option(id),
      warm: fc.boolean(),
      createMs: fc.nat(100_000),
    }),
  ),
  of(
    'secrets.given',
    fc.record({
      purpose,
      sandboxId: id,
      exposed: fc.uniqueArray(text, { maxLength: 3 }),
      brokered: fc.uniqueArray(fc.record({ name: id, host: text, env: fc.option(text) }), {
        maxLength: 3,
        selector: ({ name }) => name,
      }),
    }),
  ),
  of('sandbox.lost', fc.record({ purpose, id, code: fc.constant('SANDBOX_LOST'), sentence: text })),
  of('sandbox.destroyed', fc.record({ purpose, id })),
  of('snapshot.begun', fc.record({ purpose, sandboxId: id, key: id })),
  of(
    'snapshot.restored',
    fc.record({ purpose, sandboxId: id, key: id, files: count, bytes: count, ms: count }),
  ),
  of(
    'snapshot.failed',
    fc.record({
      doing: fc.constantFrom('restore' as const, 'make' as const),
      purpose,
      sandboxId: id,
      key: id,
      code: fc.constant('SNAPSHOT_FAILED'),
      sentence: text,
    }),
  ),
  of(
    'model.requested',
    fc.record({
      callId: id,
      step: key,
      slot: fc.constant('primary'),
      model: text,
      reservedUsd: fc.constant(0.1),
      reservedTokens: count,
      repeated: fc.boolean(),
    }),
  ),
  of(
    'model.answered',
    fc.record({
      callId: id,
      step: key,
      model: text,
      parts: fc.constant([]),
      finish: fc.constant('stop' as const),
      usage: fc.record({
        inputTokens: count,
        cachedInputTokens: count,
        cacheWriteTokens: count,
        outputTokens: count,
        reasoningTokens: count,
      }),
      costUsd: fc.integer({ min: 0, max: 400 }).map((cents) => cents / 100),
      durationMs: count,
    }),
  ),
  of('tool.started', fc.record({ id, step: key, name: text, input: fc.constant({}), sandboxId: id })),
  of(
    'proposal.opened',
    fc.record({ number: fc.integer({ min: 1, max: 9 }), url: text, draft: fc.boolean(), head: id }),
  ),
  of(
    'gate.opened',
    fc.record({
      gateId: id,
      at: fc.constantFrom('start' as const, 'proposal' as const, 'objection' as const),
      reason: text,
      objections: fc.array(fc.record({ code: text, sentence: text }), { maxLength: 2 }),
      proposal: fc.constantFrom(null, {
        commit: 'c',
        tree: 't',
        base: 'b',
        branch: 'berth/x',
        files: 1,
        added: 2,
        removed: 3,
      }),
      selfApproval: fc.boolean(),
      requesters: fc.array(text, { maxLength: 2 }),
      expiresAt: fc.constantFrom('2026-01-02T00:00:00.000Z', 'never'),
    }),
  ),
  of(
    'gate.decided',
    fc.record({
      gateId: id,
      verdict: fc.constantFrom('approved' as const, 'refused' as const, 'expired' as const),
      by: text,
      comment: fc.option(text),
      requestId: id,
    }),
  ),
  of('agent.told', fc.record({ step: key, kind: fc.constant('nudge' as const), text })),
);

/** A log of a run: numbered without gaps, with times that mostly go on and sometimes jump. */
export const anyLog: fc.Arbitrary<StoredEvent[]> = fc
  .array(fc.tuple(anyEvent, fc.integer({ min: -3_600_000, max: 7_200_000 })), { maxLength: 60 })
  .map((entries) => {
    let atMs = Date.parse('2026-01-01T00:00:00Z');
    return entries.map(([event, stepMs], place): StoredEvent => {
      atMs += stepMs;
      return { ...event, runId: 'r-1', seq: place + 1, at: new Date(atMs).toISOString() };
    });
  });
