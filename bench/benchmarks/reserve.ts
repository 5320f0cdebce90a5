import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { fixedConfig } from '../../packages/server/src/domain/config/index.ts';
import { defaultRunLimits } from '../../packages/server/src/domain/limits.ts';
import { createLimitsGate } from '../../packages/server/src/limits/create-limits-gate.ts';
import { setRunCaps } from '../../packages/server/src/limits/set-run-caps.ts';
import { type Database, openDatabase } from '../../packages/server/src/store/database.ts';
import { configOf } from '../../packages/server/src/testing/config.ts';
import { insertWaiting } from '../../packages/server/src/testing/waiting-runs.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { withPostgres } from '../lib/database.ts';
import { median, percentile } from '../lib/statistics.ts';

const parallelRuns = 50;
const usage = {
  inputTokens: 900,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 100,
  reasoningTokens: 0,
};
const config = fixedConfig(
  configOf({
    limits: {
      budgets: [{ per: 'month', costUsd: 1_000_000 }],
      projectBudgets: [{ per: 'day', costUsd: 1_000_000 }],
      principalBudgets: [{ per: 'week', tokens: 1_000_000_000_000 }],
    },
  }),
);

export function run(context: BenchmarkContext): Promise<Measured> {
  return withPostgres(context, async (databaseUrl) => {
    const db = await openDatabase({
      home: join(context.directory, 'home'),
      databaseUrl,
      clock: systemClock,
      signal: context.signal,
    });
    try {
      const forMs = context.quick ? 500 : 5_000;
      const alone = await measure(db, 1, forMs, context.signal);
      const many = await measure(db, parallelRuns, forMs, context.signal);
      return {
        figures: [...figures('one run', alone), ...figures(`${parallelRuns} runs`, many)],
        notes: [
          'each call is reserved and settled in the run, in nine counters of budgets (three of them limited), and in the ledger; ' +
            'all runs share the counters of the installation; 10 connections',
        ],
      };
    } finally {
      await db.close();
    }
  });
}

interface Calls {
  readonly perSecond: number;
  readonly reserving: readonly number[];
  readonly settling: readonly number[];
}

async function measure(db: Database, runs: number, forMs: number, signal: AbortSignal): Promise<Calls> {
  const ids = await insertWaiting(
    db,
    Array.from({ length: runs }, (_, place) => ({
      project: `p${place % 10}`,
      principal: `person${place % 7}@x`,
      count: 1,
    })),
  );
  const reserving: number[] = [];
  const settling: number[] = [];
  let isWarm = false;
  const call = async (id: string, untilMs: number): Promise<void> => {
    const gate = createLimitsGate(db, id, () => ({ minutes: 0, rounds: 0 }), config);
    await setRunCaps(db, id, { ...defaultRunLimits, costUsd: 10_000, tokens: 1_000_000_000, steps: 10_000 });
    for (let place = 0; performance.now() < untilMs; place += 1) {
      signal.throwIfAborted();
      const callId = `${isWarm ? 'c' : 'w'}-${place}`;
      let startedMs = performance.now();
      await gate.reserve({ callId, costUsd: 0.01, tokens: 2_000, model: 'p/m' });
      reserving.push(performance.now() - startedMs);
      startedMs = performance.now();
      await gate.settle({ callId, costUsd: 0.005, tokens: 1_000, answer: { model: 'p/m', usage } });
      settling.push(performance.now() - startedMs);
    }
  };
  const all = (untilMs: number): Promise<void[]> => Promise.all(ids.map((id) => call(id, untilMs)));
  await all(performance.now() + forMs / 10);
  isWarm = true;
  reserving.length = 0;
  settling.length = 0;
  const startedMs = performance.now();
  await all(startedMs + forMs);
  return { perSecond: reserving.length / ((performance.now() - startedMs) / 1_000), reserving, settling };
}

function figures(name: string, { perSecond, reserving, settling }: Calls): Figure[] {
  return [
    { name: `${name}, calls`, value: perSecond, unit: 'per second' },
    { name: `${name}, median reservation`, value: median(reserving), unit: 'ms' },
    { name: `${name}, p99 reservation`, value: percentile(reserving, 0.99), unit: 'ms' },
    { name: `${name}, median settlement`, value: median(settling), unit: 'ms' },
  ];
}
