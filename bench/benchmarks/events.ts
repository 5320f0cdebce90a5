import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import type { NewEvent } from '../../packages/server/src/domain/events/index.ts';
import { type Database, openDatabase } from '../../packages/server/src/store/database.ts';
import { makeOwnedRun, makeWorker, writerOf } from '../../packages/server/src/testing/owned-run.ts';
import type { RunWriter } from '../../packages/server/src/testing/run-writer.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { withPostgres } from '../lib/database.ts';
import { median, percentile } from '../lib/statistics.ts';

const parallelRuns = 50;
const textBytes = 1_024;

export function run(context: BenchmarkContext): Promise<Measured> {
  return withPostgres(context, async (databaseUrl) => {
    const db = await openDatabase({
      home: join(context.directory, 'home'),
      databaseUrl,
      clock: systemClock,
      signal: context.signal,
    });
    try {
      const worker = await makeWorker(db);
      const forMs = context.quick ? 500 : 5_000;
      const alone = await append(context, await writers(db, worker, 1), forMs);
      const many = await append(context, await writers(db, worker, parallelRuns), forMs);
      return {
        figures: [...figures('one run', alone), ...figures(`${parallelRuns} runs`, many)],
        notes: [
          `one event of about ${textBytes} bytes (tool.ended) in each append, a run's appends one after the other; ` +
            'redaction, shape check, hash chain, projection and fold included; 10 connections',
        ],
      };
    } finally {
      await db.close();
    }
  });
}

function writers(db: Database, worker: string, count: number): Promise<RunWriter[]> {
  return Promise.all(Array.from({ length: count }, async () => writerOf(db, await makeOwnedRun(db, worker))));
}

interface Appended {
  readonly perSecond: number;
  readonly durations: readonly number[];
}

async function append(
  { signal }: BenchmarkContext,
  runs: readonly RunWriter[],
  forMs: number,
): Promise<Appended> {
  let durations: number[] = [];
  const fill = async (run: RunWriter, untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      signal.throwIfAborted();
      const startedMs = performance.now();
      await run.append([event(run.head.seq)]);
      durations.push(performance.now() - startedMs);
    }
  };
  const all = (untilMs: number): Promise<void[]> => Promise.all(runs.map((run) => fill(run, untilMs)));
  await all(performance.now() + forMs / 10);
  durations = [];
  const startedMs = performance.now();
  await all(startedMs + forMs);
  const seconds = (performance.now() - startedMs) / 1_000;
  return { perSecond: durations.length / seconds, durations };
}

function event(index: number): NewEvent {
  return {
    type: 'tool.ended',
    data: {
      id: `call-${index}`,
      step: '2:agent',
      name: 'bash',
      text: `${index} `.padEnd(textBytes, 'the output of a command '),
      isError: false,
      interrupted: false,
      summary: 'bash npm test',
      full: null,
      exitCode: 0,
      durationMs: 5,
    },
  };
}

function figures(name: string, { perSecond, durations }: Appended): Figure[] {
  return [
    { name, value: perSecond, unit: 'per second' },
    { name: `${name}, median append`, value: median(durations), unit: 'ms' },
    { name: `${name}, p99 append`, value: percentile(durations, 0.99), unit: 'ms' },
  ];
}
