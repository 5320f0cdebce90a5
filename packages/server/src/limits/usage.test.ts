import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { fixedConfig } from '../domain/config/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import { configOf } from '../testing/config.ts';
import { testDatabase } from '../testing/database.ts';
import { insertWaiting } from '../testing/waiting-runs.ts';
import { createLimitsGate } from './create-limits-gate.ts';
import { createUsageReader } from './create-usage-reader.ts';
import { setRunCaps } from './set-run-caps.ts';

const store = testDatabase();
const config = fixedConfig(
  configOf({
    limits: {
      budgets: [{ per: 'month', costUsd: 100 }],
      projectBudgets: [{ per: 'day', costUsd: 10, runs: 5 }],
      principalBudgets: [{ per: 'day', tokens: 5_000 }],
    },
  }),
);
const usage = (inputTokens: number, outputTokens: number) => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: 10,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
});

beforeEach(async () => {
  await sql`truncate tasks, projects, budget_use, usage_ledger cascade`.execute(store.db.sql);
  const [web, api] = await insertWaiting(store.db, [
    { project: 'web', principal: 'ada@x', count: 1 },
    { project: 'api', principal: 'bob@x', count: 1 },
  ]);
  for (const [runId, costUsd] of [
    [web!, 1],
    [api!, 0.25],
  ] as const) {
    await setRunCaps(store.db, runId, defaultRunLimits);
    const gate = createLimitsGate(store.db, runId, () => ({ minutes: 0, rounds: 0 }), config);
    await gate.reserve({ callId: 'a', costUsd: 1.5, tokens: 500, model: 'p/asked' });
    const answer = { model: 'p/answered', usage: usage(100, 20) };
    await gate.settle({ callId: 'a', costUsd, tokens: 120, answer });
    await gate.reserve({ callId: 'b', costUsd: 0.125, tokens: 50, model: 'p/asked' });
    await gate.forfeit('b');
    await gate.reserve({ callId: 'c', costUsd: 0.5, tokens: 60, model: 'p/asked' });
  }
});

test('use is told by what is asked for, answered and lost apart, and adds up', async () => {
  const reader = createUsageReader(store.db, config);
  const all = { visible: 'all', self: null } as const;
  const by = await reader.usage({ ...all, by: ['project', 'model'] });
  expect(
    by.rows.map((row) => [row.project, row.model, row.costUsd, row.lostUsd, row.calls, row.day]),
  ).toEqual([
    ['web', 'p/answered', 1, 0, 1, null],
    ['api', 'p/answered', 0.25, 0, 1, null],
    ['api', 'p/asked', 0, 0.125, 0, null],
    ['web', 'p/asked', 0, 0.125, 0, null],
  ]);
  expect(by.total).toEqual({
    costUsd: 1.25,
    lostUsd: 0.25,
    tokens: { in: 200, out: 40, cached: 20 },
    lostTokens: 100,
    calls: 2,
    runs: 0,
  });
  const byDay = await reader.usage({ ...all, by: ['day'], project: 'web' });
  expect(byDay.rows).toMatchObject([{ day: byDay.to, costUsd: 1, project: null }]);
  expect((await reader.usage({ ...all, by: [], from: '2020-01-01', to: '2020-01-02' })).total.costUsd).toBe(
    0,
  );
  await expect(reader.usage({ ...all, by: [], from: '2020-02-01', to: '2020-01-02' })).rejects.toMatchObject({
    code: 'USAGE',
  });
});

test('only visible projects are told, and always one’s own', async () => {
  const reader = createUsageReader(store.db, config);
  const seen = async (visible: readonly string[], self: string | null) =>
    (await reader.usage({ by: ['project'], visible, self })).rows.map((row) => row.project);
  expect(await seen(['p-web'], null)).toEqual(['web']);
  expect(await seen([], 'bob@x')).toEqual(['api']);
  expect(await seen(['p-web'], 'bob@x')).toEqual(['web', 'api']);
  expect(await seen([], null)).toEqual([]);
});

test('budgets stand with what is used, reserved and left, to those they concern', async () => {
  const reader = createUsageReader(store.db, config);
  const { budgets } = await reader.budgets({ visible: 'all', self: null });
  expect(
    budgets.map(({ scope, name, amount, used, reserved, cap }) => [scope, name, amount, used, reserved, cap]),
  ).toEqual([
    ['installation', '', 'costUsd', 1.5, 1, 100],
    ['project', 'api', 'costUsd', 0.375, 0.5, 10],
    ['project', 'api', 'runs', 0, 0, 5],
    ['project', 'web', 'costUsd', 1.125, 0.5, 10],
    ['project', 'web', 'runs', 0, 0, 5],
    ['principal', 'ada@x', 'tokens', 170, 60, 5_000],
    ['principal', 'bob@x', 'tokens', 170, 60, 5_000],
  ]);
  const own = await reader.budgets({ visible: ['p-web'], self: 'ada@x' });
  expect(own.budgets.map(({ scope, name }) => `${scope} ${name}`)).toEqual([
    'project web',
    'project web',
    'principal ada@x',
  ]);
});
