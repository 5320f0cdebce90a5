import { fork } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { withPostgres } from '../lib/database.ts';
import { residentTreeMiB } from '../lib/process-memory.ts';
import { sampleRepository } from '../lib/sample-repository.ts';
import { startSilentModel } from '../lib/silent-model.ts';
import type { Answer, Request } from '../lib/waiting-server.ts';

const wantedRuns = 1_000;
/** Runs on their way at once: all thousand together would measure a thousand git processes. */
const onTheirWay = 12;
/** As many repositories: runs of one wait for each other while it is fetched. */
const repositories = Array.from({ length: onTheirWay }, (_, index) => `ledger-${index}`);
const firstRuns = 20;
/** A loaded machine may not get to a thousand in time; how far it got is told. */
const rampMs = 100_000;
const settleMs = 5_000;

export async function run(context: BenchmarkContext): Promise<Measured> {
  const model = await startSilentModel();
  try {
    return await withPostgres(context, (databaseUrl) =>
      measure(context, { ...model.env, DATABASE_URL: databaseUrl }, model.requests),
    );
  } finally {
    await model.close();
  }
}

async function measure(
  { quick, directory, signal }: BenchmarkContext,
  env: Readonly<Record<string, string>>,
  waiting: () => number,
): Promise<Measured> {
  const wanted = quick ? 40 : wantedRuns;
  const server = startServerProcess(directory, env, wanted);
  signal.addEventListener('abort', () => server.kill(), { once: true });
  try {
    await server.answer('ready');
    await delay(settleMs, undefined, { signal });
    const idle = residentTreeMiB(server.pid);
    // The first runs load code (the provider's package, say) that all others share.
    await startRuns(server, waiting, firstRuns, performance.now() + rampMs, signal);
    await delay(settleMs, undefined, { signal });
    const withFirst = residentTreeMiB(server.pid);
    const heapBefore = await server.heap();
    const startedMs = performance.now();
    const first = waiting();
    await startRuns(server, waiting, wanted, startedMs + rampMs, signal);
    const runs = waiting();
    const seconds = (performance.now() - startedMs) / 1_000;
    await delay(settleMs, undefined, { signal });
    const loaded = residentTreeMiB(server.pid);
    const heapAfter = await server.heap();
    const perRunKib = (mib: number): number => (mib * 1024) / (runs - first);
    return {
      figures: [
        { name: 'idle server', value: idle, unit: 'MiB', goal: { below: 200e6 / 1024 ** 2 } },
        { name: `server with ${runs} waiting runs`, value: loaded, unit: 'MiB' },
        {
          name: `each of ${runs} waiting runs`,
          value: perRunKib(loaded - withFirst),
          unit: 'KiB',
          // The goal is for a thousand: fewer neither meet nor miss it.
          ...(runs >= wantedRuns ? { goal: { below: 1e6 / 1024 } } : {}),
        },
        { name: 'of that, heap after a collection', value: perRunKib(heapAfter - heapBefore), unit: 'KiB' },
        { name: 'runs brought to their model call', value: (runs - first) / seconds, unit: 'per second' },
      ],
      notes: [
        'waiting: owned by this worker, its conversation open, its model call sent over a connection of its own to a server that never answers',
        'sandboxes are objects in memory: neither the memory of sandboxd nor the channel (about 32 KiB each in the prototype) is counted',
        `resident memory of the server and the helpers it started, after ${settleMs / 1000} s of rest, without a forced collection; per run from run ${first} on`,
        ...(runs < wanted
          ? [
              `only ${runs} of ${wanted} runs were waiting after ${rampMs / 1000} s, so the goal for each was not judged`,
            ]
          : []),
      ],
    };
  } finally {
    await server.stop();
  }
}

interface ServerProcess {
  readonly pid: number;
  /** What went wrong in it so far. */
  readonly trouble: readonly string[];
  ask(request: Request): void;
  answer<Kind extends Answer['kind']>(kind: Kind): Promise<Extract<Answer, { kind: Kind }>>;
  heap(): Promise<number>;
  kill(): void;
  stop(): Promise<void>;
}

/** The server in a process of its own, so that nothing of the benchmark is counted. */
function startServerProcess(
  directory: string,
  env: Readonly<Record<string, string>>,
  runs: number,
): ServerProcess {
  const file = join(import.meta.dirname, '..', 'lib', 'waiting-server.ts');
  const samples = repositories.map((name) => sampleRepository(directory, name));
  const args = [join(directory, 'home'), String(runs), ...samples];
  const child = fork(file, args, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    execArgv: ['--expose-gc'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const trouble: string[] = [];
  child.on('message', (message) => {
    const said = message as Answer;
    if (said.kind === 'trouble') trouble.push(said.text);
  });
  const answer: ServerProcess['answer'] = (kind) =>
    new Promise((resolve, reject) => {
      child.on('message', (message) => {
        const said = message as Answer;
        if (said.kind === kind) resolve(said as Extract<Answer, { kind: typeof kind }>);
      });
      void exited.then(() => reject(new Error('the server ended')));
    });
  const ask = (request: Request): void => void child.send(request);
  return {
    pid: child.pid ?? 0,
    trouble,
    ask,
    answer,
    async heap() {
      const said = answer('heap');
      ask({ kind: 'heap' });
      return (await said).mib;
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

/** Starts runs, a few at a time, until `wanted` of them wait for their model, or the time is over. */
async function startRuns(
  server: ServerProcess,
  waiting: () => number,
  wanted: number,
  untilMs: number,
  signal: AbortSignal,
): Promise<void> {
  let started = waiting();
  while (waiting() < wanted && performance.now() < untilMs) {
    if (server.trouble.length > 0) throw new Error(`the server said: ${server.trouble[0]}`);
    const runs = Math.min(onTheirWay - (started - waiting()), wanted - started);
    if (runs > 0) server.ask({ kind: 'start', runs });
    started += Math.max(0, runs);
    await delay(20, undefined, { signal });
  }
}
