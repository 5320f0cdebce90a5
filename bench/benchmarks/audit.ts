import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { openAudit } from '../../packages/server/src/audit/open-audit.ts';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import type { AuditVerdict } from '../../packages/server/src/domain/ports/audit.ts';
import { openDatabase, type Database } from '../../packages/server/src/store/database.ts';
import { act } from '../../packages/server/src/testing/audit-act.ts';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { withPostgres } from '../lib/database.ts';
import { median, percentile } from '../lib/statistics.ts';

const callers = 500;
const sealEveryMs = 1_000;

export function run(context: BenchmarkContext): Promise<Measured> {
  return withPostgres(context, async (databaseUrl) => {
    const home = join(context.directory, 'home');
    const db = await openDatabase({ home, databaseUrl, clock: systemClock, signal: context.signal });
    try {
      return await measure(context, db, home);
    } finally {
      await db.close();
    }
  });
}

async function measure(context: BenchmarkContext, db: Database, home: string): Promise<Measured> {
  const audit = await openAudit(db, { home, redact: (value) => value, sealEveryMs });
  const forMs = context.quick ? 1_000 : 10_000;
  const durations: number[] = [];
  const startedMs = performance.now();
  const untilMs = startedMs + forMs;
  const fill = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      context.signal.throwIfAborted();
      const beganMs = performance.now();
      await audit.sink.record(act());
      durations.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, fill));
  const perSecond = durations.length / ((performance.now() - startedMs) / 1_000);
  const behindMs = performance.now();
  while ((await unsealed(db)) > 0) {
    context.signal.throwIfAborted();
    await audit.sealNow();
    await sleep(5);
  }
  const caughtUpMs = performance.now() - behindMs;
  const verifyingMs = performance.now();
  let verdict: AuditVerdict | null = null;
  for await (const item of audit.reader.verify(context.signal)) if ('verdict' in item) ({ verdict } = item);
  const verifiedMs = performance.now() - verifyingMs;
  if (verdict?.ok !== true) throw new Error('the record does not hold');
  await audit.stop();
  return {
    figures: [
      { name: 'acts recorded', value: perSecond, unit: 'per second', goal: { atLeast: 5_000 } },
      { name: 'record, median', value: median(durations), unit: 'ms' },
      { name: 'record, p99', value: percentile(durations, 0.99), unit: 'ms' },
      { name: 'sealing what was left', value: caughtUpMs, unit: 'ms' },
      { name: 'acts verified', value: verdict.entries / (verifiedMs / 1_000), unit: 'per second' },
    ],
    notes: [
      `${callers} callers that each wait for their act to be durable; the sealer in the same process, every ` +
        `${sealEveryMs} ms; verification from the database, signatures included`,
    ],
  };
}

async function unsealed(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from audit_entries
    where position > (select coalesce(max(to_position), 0) from audit_seals)`.execute(db.sql);
  return rows[0]?.n ?? 0;
}
