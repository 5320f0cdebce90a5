import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { defaultRunLimits } from '../domain/limits.ts';
import type { NewEvent } from '../domain/events/index.ts';
import { createLimitsGate } from '../limits/create-limits-gate.ts';
import { createUsageReader } from '../limits/create-usage-reader.ts';
import { setRunCaps } from '../limits/set-run-caps.ts';
import { fixedConfig } from '../domain/config/index.ts';
import { claimRun } from '../store/runs/claim-run.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun, makeWorker, writerOf } from '../testing/owned-run.ts';
import { settleOpenCalls } from './settle-open.ts';

const store = testDatabase();

const requested = (callId: string, reservedUsd: number): NewEvent => ({
  type: 'model.requested',
  data: {
    callId,
    step: '2:agent',
    slot: 'primary',
    model: 'p/m',
    reservedUsd,
    reservedTokens: 100,
    repeated: false,
  },
});
const answered = (callId: string, costUsd: number): NewEvent => ({
  type: 'model.answered',
  data: {
    callId,
    step: '2:agent',
    model: 'p/m',
    parts: [],
    finish: 'stop',
    usage: {
      inputTokens: 40,
      cachedInputTokens: 5,
      cacheWriteTokens: 0,
      outputTokens: 10,
      reasoningTokens: 0,
    },
    costUsd,
    durationMs: 1,
  },
});

test('what a killed worker had reserved is settled from the log by the next owner, and the ledger is the sum of the log', async () => {
  const dead = await makeOwnedRun(store.db);
  const { runId } = dead;
  await setRunCaps(store.db, runId, defaultRunLimits);
  const gateOf = () => createLimitsGate(store.db, runId, () => ({ minutes: 0, rounds: 0 }));
  const gate = gateOf();
  const log = await writerOf(store.db, dead);
  const reserve = (callId: string, costUsd: number) =>
    gate.reserve({ callId, costUsd, tokens: 100, model: 'p/m' });
  // Settled; answered and not settled, with a repetition; asked twice of a judge; never answered.
  await reserve('c1', 0.25);
  await log.append([requested('c1', 0.25), answered('c1', 0.125)]);
  await gate.settle({
    callId: 'c1',
    costUsd: 0.125,
    tokens: 50,
    answer: {
      model: 'p/m',
      usage: {
        inputTokens: 40,
        cachedInputTokens: 5,
        cacheWriteTokens: 0,
        outputTokens: 10,
        reasoningTokens: 0,
      },
    },
  });
  await reserve('c2', 0.25);
  await reserve('c2/repeat-1', 0.25);
  await log.append([requested('c2', 0.25), answered('c2', 0.0625)]);
  await reserve('judge', 0.25);
  await gate.forfeit('judge');
  await reserve('judge+1', 0.25);
  await log.append([requested('judge', 0.25), answered('judge', 0.03125)]);
  await reserve('c3', 0.5);
  await log.append([requested('c3', 0.5)]);

  await sql`update workers set lease_expires_at = clock_timestamp() where id = ${dead.worker}`.execute(
    store.db.sql,
  );
  const next = await claimRun(store.db, runId, await makeWorker(store.db));
  // Whoever lost the run ends nothing of it.
  await settleOpenCalls(store.db, dead);
  expect((await gate.remaining()).reservedUsd).toBeCloseTo(1.25, 8);
  await settleOpenCalls(store.db, next!);
  await settleOpenCalls(store.db, next!);

  // The next owner has a gate of its own.
  const { used, reservedUsd } = await gateOf().remaining();
  expect(reservedUsd).toBe(0);
  const { total } = await createUsageReader(store.db, fixedConfig()).usage({
    by: [],
    visible: 'all',
    self: null,
  });
  const state = log.state.use;
  expect(total).toMatchObject({
    costUsd: state.costUsd,
    tokens: { in: state.inputTokens, out: state.outputTokens, cached: state.cachedTokens },
    calls: state.modelCalls,
    lostUsd: 0.75,
  });
  expect(used.costUsd).toBeCloseTo(total.costUsd + total.lostUsd, 8);
});
