import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { sql } from 'kysely';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { type Database, openDatabase } from '../../packages/server/src/store/database.ts';
import { admitRuns } from '../../packages/server/src/store/runs/admit-runs.ts';
import { readRun } from '../../packages/server/src/store/runs/read-run.ts';
import { releaseRun } from '../../packages/server/src/store/runs/release-run.ts';
import { configOf } from '../../packages/server/src/testing/config.ts';
import { makeWorker } from '../../packages/server/src/testing/owned-run.ts';
import { insertWaiting } from '../../packages/server/src/testing/waiting-runs.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { withPostgres } from '../lib/database.ts';
import { median, percentile } from '../lib/statistics.ts';

const projects = 50;
const principals = 20;
const sizes = [100, 1_000, 10_000];
const config = configOf({
  limits: {
    caps: { total: 400, perProject: 5, perPrincipal: 100 },
    budgets: [{ per: 'month', costUsd: 100_000 }],
    projectBudgets: [{ per: 'day', costUsd: 100, runs: 100_000 }],
  },
});

export function run(context: BenchmarkContext): Promise<Measured> {
  return withPostgres(context, async (databaseUrl) => {
    const db = await openDatabase({
      home: join(context.directory, 'home'),
      databaseUrl,
      clock: systemClock,
      signal: context.signal,
    });
    try {
      const figures: Figure[] = [];
      for (const size of context.quick ? [100] : sizes) figures.push(...(await measure(db, size, context)));
      return {
        figures,
        notes: [
          `runs of ${projects} projects and ${principals} principals wait, caps and budgets set; each round one run ends ` +
            'and one admission (budgets, choice, reasons) takes its place; "nothing to admit" is what a full worker does',
          'place: reading one waiting run, its place and estimate included',
        ],
      };
    } finally {
      await db.close();
    }
  });
}

async function measure(db: Database, size: number, { quick, signal }: BenchmarkContext): Promise<Figure[]> {
  await sql`truncate tasks, projects, workers, budget_use cascade`.execute(db.sql);
  const worker = await makeWorker(db);
  const groups = Array.from({ length: projects }, (_, place) => ({
    project: `p${place}`,
    principal: `person${place % principals}@x`,
    count: size / projects,
  }));
  const ids = await insertWaiting(db, groups);
  const firstMs = performance.now();
  const active = await admitRuns(db, { worker, config, limit: Math.min(200, size / 2) });
  const first = performance.now() - firstMs;
  // What a database that has run for a while knows of its tables.
  await sql`analyze`.execute(db.sql);
  const rounds = quick ? 5 : 60;
  const admissions: number[] = [];
  const idle: number[] = [];
  const places: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    signal.throwIfAborted();
    const [ended] = active.splice(round % active.length, 1);
    await releaseRun(db, ended!, { requeue: false });
    let startedMs = performance.now();
    active.push(...(await admitRuns(db, { worker, config, limit: 8 })));
    admissions.push(performance.now() - startedMs);
    startedMs = performance.now();
    await admitRuns(db, { worker, config, limit: 0 });
    idle.push(performance.now() - startedMs);
    startedMs = performance.now();
    await readRun(db, ids.at(-1)!);
    places.push(performance.now() - startedMs);
  }
  const goal = size === 10_000 ? { goal: { below: 250 } } : {};
  return [
    { name: `${size} waiting, first admission and reasons of all`, value: first, unit: 'ms' },
    { name: `${size} waiting, admission, median`, value: median(admissions), unit: 'ms', ...goal },
    { name: `${size} waiting, admission, p99`, value: percentile(admissions, 0.99), unit: 'ms' },
    { name: `${size} waiting, nothing to admit, median`, value: median(idle), unit: 'ms' },
    { name: `${size} waiting, place, median`, value: median(places), unit: 'ms' },
  ];
}
