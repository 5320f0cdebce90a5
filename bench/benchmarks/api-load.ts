import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../../packages/client/src/index.ts';
import { cassetteText, script } from '../../packages/server/src/models/index.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { type BenchmarkPostgres, withPostgres } from '../lib/database.ts';
import { startReaders, type Readers } from '../lib/load-readers.ts';
import type { LoadAnswer, LoadRequest } from '../lib/load-server.ts';
import { sampleRepository } from '../lib/sample-repository.ts';
import { median, percentile } from '../lib/statistics.ts';

const wantedRuns = 1_000;
/** As many repositories as runs on their way: runs of one wait for each other while it is fetched. */
const onTheirWay = 8;
/** Some 200 runs are started in a minute: each takes its repository, plans, makes a sandbox. */
const rampMs = 420_000;
const measureMs = 60_000;
/** Turns of some twenty seconds each: a run writes about twenty entries a minute, and is there for some thirteen minutes. */
const turns = 40;
const commandMs = 20_000;
const readsPerSecond = 40;
const streams = 20;

export function run(context: BenchmarkContext): Promise<Measured> {
  return withPostgres(context, (databaseUrl, postgres) => measure(context, databaseUrl, postgres));
}

async function measure(
  context: BenchmarkContext,
  databaseUrl: string,
  postgres: BenchmarkPostgres,
): Promise<Measured> {
  const { quick, signal } = context;
  const wanted = quick ? 20 : wantedRuns;
  const server = startServerProcess(context, databaseUrl, wanted, quick ? 500 : commandMs);
  signal.addEventListener('abort', () => void server.stop(), { once: true });
  let readers: Readers | null = null;
  try {
    const { url, socketPath } = await server.answer('ready');
    const token = (await createClient({ socketPath }).createToken({ purpose: 'readers' })).secret;
    const pick = (): string | undefined => server.working[Math.floor(Math.random() * server.working.length)];
    readers = startReaders({ url, token, pick, readsPerSecond, streams });
    const rampStartedMs = performance.now();
    await keepStarting(
      server,
      wanted,
      rampStartedMs + (quick ? 25_000 : rampMs),
      signal,
      () => server.working.length >= wanted,
    );
    const rampedMs = performance.now();
    const before = await server.counts();
    const databaseBeforeMs = postgres.cpuMs();
    const reached = server.working.length - before.ended;
    await delay(quick ? 3_000 : measureMs, undefined, { signal });
    const after = await server.counts();
    const databaseAfterMs = postgres.cpuMs();
    const endMs = performance.now();
    if (server.trouble.length > 0) throw new Error(`the server said: ${server.trouble[0]}`);
    if (readers.failures.length > 0) throw new Error(`a reader was told: ${readers.failures[0]}`);
    const seconds = (endMs - rampedMs) / 1_000;
    return {
      figures: [
        ...readFigures(readers, rampedMs, endMs, reached >= wantedRuns),
        ...delayFigures(readers, rampedMs, endMs),
        {
          name: 'reads',
          value: readers.reads.filter((one) => one.atMs >= rampedMs).length / seconds,
          unit: 'per second',
        },
        { name: 'entries written', value: (after.events - before.events) / seconds, unit: 'per second' },
        { name: 'server, busy', value: (after.cpuMs - before.cpuMs) / seconds, unit: 'ms/s' },
        { name: 'database, busy', value: (databaseAfterMs - databaseBeforeMs) / seconds, unit: 'ms/s' },
        { name: "server's timers late, p99", value: after.lateP99Ms, unit: 'ms' },
        { name: "server's timers late, worst", value: after.lateMaxMs, unit: 'ms' },
        { name: 'server, collecting garbage', value: after.collectingMs / seconds, unit: 'ms/s' },
        { name: 'server, longest collection', value: after.longestCollectionMs, unit: 'ms' },
        {
          name: 'runs started',
          value: (server.working.length / (rampedMs - rampStartedMs)) * 60_000,
          unit: 'per minute',
        },
        {
          name: 'while runs start, read, p99',
          value: percentile(
            readers.reads.filter((one) => one.atMs < rampedMs).map((one) => one.ms),
            0.99,
          ),
          unit: 'ms',
        },
      ],
      notes: [
        `${reached} runs at work in one process that is API and worker: a scripted model, sandboxes simulated in memory, commands that take about ${commandMs / 1_000} s`,
        `${readsPerSecond} reads a second over TCP with a token, in turn the list of 50 runs, a run, its outline, its newest 100 events; ${streams} live streams, half of a run, half of the list and ten runs; the readers are a process of the same machine`,
        'delay: from the time in the entry, before it is durable, to the reader',
        ...(reached < wanted
          ? [
              `only ${reached} of ${wanted} runs were at work after ${rampMs / 1_000} s, so the goal was not judged`,
            ]
          : []),
      ],
    };
  } finally {
    await readers?.stop();
    await server.stop();
  }
}

function readFigures(readers: Readers, fromMs: number, toMs: number, judged: boolean): Figure[] {
  const within = readers.reads.filter((one) => one.atMs >= fromMs && one.atMs <= toMs);
  const all = within.map((one) => one.ms);
  const kinds = [...new Set(within.map((one) => one.kind))].toSorted();
  return [
    { name: 'reads, median', value: median(all), unit: 'ms' },
    {
      name: 'reads, p99',
      value: percentile(all, 0.99),
      unit: 'ms',
      ...(judged ? { goal: { below: 100 } } : {}),
    },
    ...kinds.flatMap((kind): Figure[] => {
      const some = within.filter((one) => one.kind === kind).map((one) => one.ms);
      return [
        { name: `${kind}, median`, value: median(some), unit: 'ms' },
        { name: `${kind}, p99`, value: percentile(some, 0.99), unit: 'ms' },
      ];
    }),
  ];
}

function delayFigures(readers: Readers, fromMs: number, toMs: number): Figure[] {
  const delays = readers.delays.filter((one) => one.atMs >= fromMs && one.atMs <= toMs).map((one) => one.ms);
  return [
    { name: 'entry to stream, median', value: median(delays), unit: 'ms' },
    { name: 'entry to stream, p99', value: percentile(delays, 0.99), unit: 'ms' },
  ];
}

interface ServerProcess {
  /** Runs that have asked their model at least once. */
  readonly working: readonly string[];
  readonly trouble: readonly string[];
  ask(request: LoadRequest): void;
  answer<Kind extends LoadAnswer['kind']>(kind: Kind): Promise<Extract<LoadAnswer, { kind: Kind }>>;
  counts(): Promise<Extract<LoadAnswer, { kind: 'counts' }>>;
  kill(): void;
  stop(): Promise<void>;
}

/** The server in a process of its own, so that readers and server do not share a thread. */
function startServerProcess(
  { directory }: BenchmarkContext,
  databaseUrl: string,
  runs: number,
  workMs: number,
): ServerProcess {
  const cassette = join(directory, 'load.jsonl');
  const work = Array.from({ length: turns }, (_, turn) => ({
    say: 'I look further.',
    toolCalls: [{ name: 'bash', input: { command: `true # work ${turn}` } }],
  }));
  const done = { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Looked.' } }] };
  writeFileSync(cassette, cassetteText(script([...work, done])));
  const samples = Array.from({ length: onTheirWay }, (_, place) =>
    sampleRepository(directory, `ledger-${place}`),
  );
  const child = fork(
    join(import.meta.dirname, '..', 'lib', 'load-server.ts'),
    [join(directory, 'home'), String(runs), String(workMs), cassette, ...samples],
    {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: databaseUrl },
      execArgv: [],
    },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const trouble: string[] = [];
  const working: string[] = [];
  child.on('message', (message) => {
    const said = message as LoadAnswer;
    if (said.kind === 'trouble') trouble.push(said.text);
    if (said.kind === 'working') working.push(said.run);
  });
  const answer: ServerProcess['answer'] = (kind) =>
    new Promise((resolve, reject) => {
      child.on('message', (message) => {
        const said = message as LoadAnswer;
        if (said.kind === kind) resolve(said as Extract<LoadAnswer, { kind: typeof kind }>);
      });
      void exited.then(() => reject(new Error('the server ended')));
    });
  const ask = (request: LoadRequest): void => void child.send(request);
  return {
    working,
    trouble,
    ask,
    answer,
    counts() {
      const said = answer('counts');
      ask({ kind: 'counts' });
      return said;
    },
    kill: () => child.kill('SIGKILL'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      ask({ kind: 'stop' });
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(late);
    },
  };
}

/** Starts runs, a few at a time, until there are enough or the time is over. */
async function keepStarting(
  server: ServerProcess,
  wanted: number,
  untilMs: number,
  signal: AbortSignal,
  enough: () => boolean,
): Promise<void> {
  let started = 0;
  while (!enough() && performance.now() < untilMs) {
    if (server.trouble.length > 0) throw new Error(`the server said: ${server.trouble[0]}`);
    const runs = Math.min(onTheirWay - (started - server.working.length), wanted - started);
    if (runs > 0) server.ask({ kind: 'start', runs });
    started += Math.max(0, runs);
    await delay(20, undefined, { signal });
  }
}
