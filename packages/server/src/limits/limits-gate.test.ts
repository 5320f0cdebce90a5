import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultRunLimits, type RunLimits } from '../domain/limits.ts';
import { connectPool } from '../store/connect.ts';
import { claimRun } from '../store/runs/claim-run.ts';
import { testDatabase } from '../testing/database.ts';
import { makeWorker } from '../testing/owned-run.ts';
import { makeRun } from '../testing/project-run.ts';
import { createLimitsGate } from './create-limits-gate.ts';
import { readRunBudget } from './read-run-budget.ts';
import { setRunCaps } from './set-run-caps.ts';
import { openCallsOf } from './settle-call.ts';

const store = testDatabase();

async function gateOf(limits: Partial<RunLimits>) {
  const { runId } = await makeRun(store.db);
  await setRunCaps(store.db, runId, { ...defaultRunLimits, ...limits });
  return { runId, gate: createLimitsGate(store.db, runId, () => ({ minutes: 3, rounds: 1 })) };
}

async function outcomeOf(promise: Promise<void>): Promise<string> {
  return promise.then(
    () => 'reserved',
    (error: { code: string }) => error.code,
  );
}

test('fifty reservations at once never exceed the cap together, and fill it', async () => {
  const { runId, gate } = await gateOf({ costUsd: 1, steps: 1_000 });
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      outcomeOf(gate.reserve({ callId: `c-${index}`, costUsd: 0.07, tokens: 10 })),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === 'reserved')).toHaveLength(14);
  expect(new Set(outcomes)).toEqual(new Set(['reserved', 'LIMIT_COST']));
  expect((await readRunBudget(store.db, runId)).reservedUsd).toBeCloseTo(0.98, 8);
});

test('any mix of reserving, settling and forfeiting in parallel keeps used + reserved within every cap', async () => {
  const amount = fc.record({
    costUsd: fc.double({ min: 0, max: 0.5, noNaN: true }),
    tokens: fc.integer({ min: 0, max: 400 }),
    end: fc.constantFrom('settle', 'forfeit', 'leave'),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(amount, { minLength: 1, maxLength: 50 }), async (calls) => {
      const { runId, gate } = await gateOf({ costUsd: 1, tokens: 1_000, steps: 12 });
      await Promise.all(
        calls.map(async (call, index) => {
          const callId = `c-${index}`;
          const outcome = await outcomeOf(
            gate.reserve({ callId, costUsd: call.costUsd, tokens: call.tokens }),
          );
          if (outcome !== 'reserved' || call.end === 'leave') return;
          const used = {
            callId,
            costUsd: call.costUsd * call.share,
            tokens: Math.floor(call.tokens * call.share),
          };
          await (call.end === 'settle' ? gate.settle(used) : gate.forfeit(callId));
        }),
      );
      const budget = await readRunBudget(store.db, runId);
      expect(budget.used.costUsd + budget.reservedUsd).toBeLessThanOrEqual(1 + 1e-6);
      expect(budget.used.tokens + budget.reservedTokens).toBeLessThanOrEqual(1_000);
      expect(budget.used.steps).toBeLessThanOrEqual(12);
    }),
    { numRuns: 15 },
  );
});

test('each limit refuses with its own code', async () => {
  const { gate } = await gateOf({ costUsd: 1, tokens: 100, steps: 1 });
  expect(await outcomeOf(gate.reserve({ callId: 'a', costUsd: 1.01, tokens: 1 }))).toBe('LIMIT_COST');
  expect(await outcomeOf(gate.reserve({ callId: 'b', costUsd: 0, tokens: 101 }))).toBe('LIMIT_TOKENS');
  expect(await outcomeOf(gate.reserve({ callId: 'c', costUsd: 1, tokens: 100 }))).toBe('reserved');
  await gate.settle({ callId: 'c', costUsd: 0, tokens: 0 });
  expect(await outcomeOf(gate.reserve({ callId: 'd', costUsd: 0, tokens: 1 }))).toBe('LIMIT_STEPS');
});

test('reserving, settling and forfeiting a call count once, however often they are repeated', async () => {
  const { gate } = await gateOf({ costUsd: 1 });
  const call = { callId: 'a', costUsd: 0.5, tokens: 10 };
  await Promise.all([gate.reserve(call), gate.reserve(call), gate.reserve(call)]);
  expect(await gate.remaining()).toMatchObject({
    reservedUsd: 0.5,
    used: { costUsd: 0, minutes: 3, rounds: 1 },
  });
  await Promise.all([gate.settle({ ...call, costUsd: 0.2 }), gate.settle({ ...call, costUsd: 0.2 })]);
  await gate.forfeit('a');
  expect(await gate.remaining()).toMatchObject({
    reservedUsd: 0,
    used: { costUsd: 0.2, tokens: 10, steps: 1 },
  });
  expect(await outcomeOf(gate.reserve(call))).toBe('CONFLICT');
});

test('a recovered run pays for the calls whose answers were never seen', async () => {
  const { runId, gate } = await gateOf({ costUsd: 1 });
  await gate.reserve({ callId: 'a', costUsd: 0.3, tokens: 10 });
  await gate.reserve({ callId: 'b', costUsd: 0.4, tokens: 20 });
  const owner = await claimRun(store.db, runId, await makeWorker(store.db));
  const gone = { ...owner!, epoch: owner!.epoch - 1 };
  expect(await openCallsOf(store.db, gone)).toEqual([]);
  for (const callId of await openCallsOf(store.db, owner!)) await gate.forfeit(callId);
  expect(await gate.remaining()).toMatchObject({
    reservedUsd: 0,
    used: { costUsd: 0.7, tokens: 30, steps: 2 },
  });
});

test('raising the caps lets a run go on with what it used still counted', async () => {
  const { runId, gate } = await gateOf({ costUsd: 1 });
  await gate.reserve({ callId: 'a', costUsd: 1, tokens: 1 });
  await gate.forfeit('a');
  const next = { callId: 'b', costUsd: 0.5, tokens: 1 };
  expect(await outcomeOf(gate.reserve(next))).toBe('LIMIT_COST');
  await setRunCaps(store.db, runId, { ...defaultRunLimits, costUsd: 1.5 });
  expect(await outcomeOf(gate.reserve(next))).toBe('reserved');
});

test('nothing is reserved without limits, without a bound, or without a database', async () => {
  const { runId } = await makeRun(store.db);
  const gate = createLimitsGate(store.db, runId, () => ({ minutes: 0, rounds: 0 }));
  expect(await outcomeOf(gate.reserve({ callId: 'a', costUsd: 0, tokens: 1 }))).toBe('INTERNAL');
  const bounded = await gateOf({});
  expect(await outcomeOf(bounded.gate.reserve({ callId: 'a', costUsd: Number.NaN, tokens: 1 }))).toBe(
    'INTERNAL',
  );
  const nowhere = { kind: 'socket', directory: '/nonexistent', database: 'x', user: 'x' } as const;
  const away = { ...store.db, sql: connectPool(nowhere, () => undefined) };
  const closed = createLimitsGate(away, bounded.runId, () => ({ minutes: 0, rounds: 0 }));
  expect(await outcomeOf(closed.reserve({ callId: 'a', costUsd: 0, tokens: 1 }))).toBe(
    'DATABASE_UNAVAILABLE',
  );
});
