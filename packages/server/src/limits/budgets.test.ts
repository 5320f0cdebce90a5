import * as fc from 'fast-check';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import type { Config, CurrentConfig } from '../domain/config/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import type { LimitsGate } from '../domain/ports/run-context.ts';
import { connectPool } from '../store/connect.ts';
import type { Database } from '../store/database.ts';
import { admitRuns } from '../store/runs/admit-runs.ts';
import { readRun } from '../store/runs/read-run.ts';
import { configOf } from '../testing/config.ts';
import { testDatabase } from '../testing/database.ts';
import { makeWorker } from '../testing/owned-run.ts';
import { insertWaiting } from '../testing/waiting-runs.ts';
import { createLimitsGate } from './create-limits-gate.ts';
import { setRunCaps } from './set-run-caps.ts';

const store = testDatabase();
beforeEach(async () => {
  await sql`truncate tasks, projects, workers, budget_use, usage_ledger cascade`.execute(store.db.sql);
});

/** A configuration that a test changes while gates hold it. */
function changeable(first: Config): CurrentConfig & { config: Config } {
  return {
    config: first,
    current() {
      return { number: 1, config: this.config, sources: {} };
    },
    onChange: () => () => undefined,
  };
}

async function gateOf(db: Database, runId: string, config: CurrentConfig): Promise<LimitsGate> {
  await setRunCaps(db, runId, { ...defaultRunLimits, costUsd: 10_000, tokens: 1_000_000_000, steps: 10_000 });
  return createLimitsGate(db, runId, () => ({ minutes: 0, rounds: 0 }), config);
}

async function outcomeOf(promise: Promise<void>): Promise<string> {
  return promise.then(
    () => 'reserved',
    (error: { code: string }) => error.code,
  );
}

async function counters(db: Database) {
  const { rows } = await sql<{
    scope: string;
    id: string;
    per: string;
    usd: number;
    tokens: number;
    held: number;
  }>`
    select scope, id, per, (used_usd + reserved_usd)::float8 as usd, (used_tokens + reserved_tokens)::int as tokens,
      reserved_usd::float8 as held from budget_use`.execute(db.sql);
  return rows;
}

const call = fc.record({
  run: fc.nat(5),
  costUsd: fc.double({ min: 0, max: 3, noNaN: true }),
  tokens: fc.integer({ min: 0, max: 900 }),
  end: fc.constantFrom('settle', 'settle', 'forfeit', 'crash'),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('any mix of reserving, settling, forfeiting and crashing over replicas stays within every budget', async () => {
  const replicas = await Promise.all(Array.from({ length: 4 }, () => store.open()));
  const config = changeable(
    configOf({
      limits: {
        budgets: [{ per: 'month', costUsd: 20, tokens: 9_000 }],
        projectBudgets: [{ per: 'day', costUsd: 9 }],
        principalBudgets: [{ per: 'week', costUsd: 12, tokens: 4_000 }],
      },
      projects: [{ name: 'b', repository: '/srv/b', budgets: [{ per: 'day', tokens: 2_500 }] }],
    }),
  );
  const within = (row: Awaited<ReturnType<typeof counters>>[number]): boolean => {
    if (row.scope === 'installation' && row.per === 'month') return row.usd <= 20 && row.tokens <= 9_000;
    if (row.scope === 'project' && row.per === 'day')
      return row.id === 'p-b' ? row.tokens <= 2_500 : row.usd <= 9;
    if (row.scope === 'principal' && row.per === 'week') return row.usd <= 12 && row.tokens <= 4_000;
    return true;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 60 }), async (calls) => {
      await sql`truncate tasks, projects, budget_use, usage_ledger cascade`.execute(store.db.sql);
      const runs = await insertWaiting(store.db, [
        { project: 'a', principal: 'ada@x', count: 2 },
        { project: 'a', principal: 'bob@x', count: 1 },
        { project: 'b', principal: 'ada@x', count: 2 },
        { project: 'b', principal: 'bob@x', count: 1 },
      ]);
      const gates = await Promise.all(
        runs.map((id, place) => gateOf(replicas[place % replicas.length]!, id, config)),
      );
      const open: { gate: LimitsGate; callId: string }[] = [];
      let spent = 0;
      await Promise.all(
        calls.map(async ({ run, costUsd, tokens, end, share }, place) => {
          const gate = gates[run]!;
          const callId = `c-${place}`;
          const outcome = await outcomeOf(gate.reserve({ callId, costUsd, tokens }));
          expect(['reserved', 'LIMIT_BUDGET_COST', 'LIMIT_BUDGET_TOKENS']).toContain(outcome);
          expect((await counters(store.db)).filter((row) => !within(row))).toEqual([]);
          if (outcome !== 'reserved') return;
          if (end === 'crash') open.push({ gate, callId });
          else if (end === 'forfeit') await gate.forfeit(callId);
          else await gate.settle({ callId, costUsd: costUsd * share, tokens: Math.floor(tokens * share) });
        }),
      );
      // Whoever takes over ends what the dead had reserved.
      for (const { gate, callId } of open) await gate.forfeit(callId);
      const after = await counters(store.db);
      expect(after.filter((row) => !within(row))).toEqual([]);
      expect(after.filter((row) => Math.abs(row.held) > 1e-9)).toEqual([]);
      // The counters, the ledger and the runs tell the same sum.
      const { rows } = await sql<{ runs: number; ledger: number }>`
        select (select sum(used_usd)::float8 from run_budgets) as runs,
          (select coalesce(sum(cost_usd + lost_usd), 0)::float8 from usage_ledger) as ledger`.execute(
        store.db.sql,
      );
      spent = after.find((row) => row.scope === 'installation' && row.per === 'day')!.usd;
      expect(rows[0]!.runs).toBeCloseTo(spent, 6);
      expect(rows[0]!.ledger).toBeCloseTo(spent, 6);
    }),
    { numRuns: 8 },
  );
});

test('a refusal says which budget and until when; raising it counts at once, and so does a new one', async () => {
  const [runId] = await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 1 }]);
  const config = changeable(configOf({ limits: { projectBudgets: [{ per: 'day', costUsd: 1 }] } }));
  const gate = await gateOf(store.db, runId!, config);
  await gate.reserve({ callId: 'a', costUsd: 0.9, tokens: 100 });
  await gate.settle({ callId: 'a', costUsd: 0.9, tokens: 100 });
  await expect(gate.reserve({ callId: 'b', costUsd: 0.2, tokens: 1 })).rejects.toMatchObject({
    code: 'LIMIT_BUDGET_COST',
    message: expect.stringMatching(
      /^No room for another model call in the budget of project web for today \(\$1\.00\); it turns at \d{4}-\d\d-\d\d 00:00 UTC\.$/,
    ) as unknown,
  });
  expect((await gate.remaining()).budgets?.leftUsd).toBeCloseTo(0.1, 9);
  config.config = configOf({ limits: { projectBudgets: [{ per: 'day', costUsd: 2 }] } });
  await gate.reserve({ callId: 'b', costUsd: 0.2, tokens: 1 });
  // What was used before a budget was made counts in it.
  config.config = configOf({ limits: { principalBudgets: [{ per: 'month', tokens: 101 }] } });
  expect(await outcomeOf(gate.reserve({ callId: 'c', costUsd: 0, tokens: 1 }))).toBe('LIMIT_BUDGET_TOKENS');
});

test('a period that turns begins at nothing, and what was reserved before it stays in the old one', async () => {
  const [runId] = await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 1 }]);
  const config = changeable(configOf({ limits: { budgets: [{ per: 'day', costUsd: 1 }] } }));
  const gate = await gateOf(store.db, runId!, config);
  await gate.reserve({ callId: 'a', costUsd: 0.6, tokens: 1 });
  expect(await outcomeOf(gate.reserve({ callId: 'b', costUsd: 0.6, tokens: 1 }))).toBe('LIMIT_BUDGET_COST');
  // As if all of it had been a day, a week and a month ago.
  await sql`update budget_use set starts = starts - case per when 'day' then 1 when 'week' then 7 else 31 end`.execute(
    store.db.sql,
  );
  await sql`update reservations set reserved_at = reserved_at - interval '1 day'`.execute(store.db.sql);
  await gate.reserve({ callId: 'b', costUsd: 0.6, tokens: 1 });
  await gate.settle({ callId: 'a', costUsd: 0.6, tokens: 1 });
  const day = (await counters(store.db)).find((row) => row.scope === 'installation' && row.per === 'day');
  expect(day).toMatchObject({ usd: 0.6, held: 0.6 });
});

test('runs wait where the budget is used up, told until when, and start when it is raised', async () => {
  const worker = await makeWorker(store.db);
  const [first, second] = await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 2 }]);
  const budget = (costUsd: number): Config =>
    configOf({ limits: { principalBudgets: [{ per: 'week', costUsd }] } });
  const config = changeable(budget(1));
  expect(await admitRuns(store.db, { worker, config: config.config, limit: 1 })).toMatchObject([
    { runId: first },
  ]);
  const gate = await gateOf(store.db, first!, config);
  await gate.reserve({ callId: 'a', costUsd: 1, tokens: 1 });
  await gate.forfeit('a');
  expect(await admitRuns(store.db, { worker, config: config.config, limit: 1 })).toEqual([]);
  const { status } = await readRun(store.db, second!);
  expect(status).toMatchObject({ code: 'QUEUE_BUDGET', queue: { position: 1 } });
  expect(status.reason).toMatch(
    /^Waits: the budget of ada@x for this week \(\$1\.00\) is used up until \d{4}-\d\d-\d\d 00:00 UTC; 1st in line$/,
  );
  expect(status.queue?.etaSec).toBeGreaterThanOrEqual(0);
  expect(await admitRuns(store.db, { worker, config: budget(2), limit: 1 })).toMatchObject([
    { runId: second },
  ]);
});

test('a budget of runs counts each run once, when it is first admitted', async () => {
  const worker = await makeWorker(store.db);
  const ids = await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 3 }]);
  const config = configOf({ limits: { budgets: [{ per: 'day', runs: 2 }] } });
  const [one, two] = await admitRuns(store.db, { worker, config, limit: 9 });
  expect([one?.runId, two?.runId]).toEqual(ids.slice(0, 2));
  expect((await readRun(store.db, ids[2]!)).status.reason).toContain('(2 runs) is used up');
  // One that goes back to the line goes on.
  await sql`update runs set owner_worker = null, waiting = true where id = ${one!.runId}`.execute(
    store.db.sql,
  );
  const again = await admitRuns(store.db, { worker, config, limit: 9 });
  expect(again.map((run) => run.runId)).toEqual([one!.runId]);
  const { rows } = await sql<{ runs: number }>`select sum(runs)::int as runs from usage_ledger`.execute(
    store.db.sql,
  );
  expect(rows[0]?.runs).toBe(2);
});

test('nothing is reserved while the database is away', async () => {
  const [runId] = await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 1 }]);
  const nowhere = { kind: 'socket', directory: '/nonexistent', database: 'x', user: 'x' } as const;
  const away = { ...store.db, sql: connectPool(nowhere, () => undefined) };
  const gate = createLimitsGate(away, runId!, () => ({ minutes: 0, rounds: 0 }));
  expect(await outcomeOf(gate.reserve({ callId: 'a', costUsd: 0, tokens: 1 }))).toBe('DATABASE_UNAVAILABLE');
});
