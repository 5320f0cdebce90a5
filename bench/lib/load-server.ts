import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { asBerthError } from '../../packages/server/src/domain/errors/index.ts';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';
import { startServer } from '../../packages/server/src/main.ts';
import { MemoryOnlyDriver } from './memory-driver.ts';
import { sampleTask } from './sample-repository.ts';

/** What the benchmark asks of its server. */
export type LoadRequest =
  | { readonly kind: 'start'; readonly runs: number }
  | { readonly kind: 'counts' }
  | { readonly kind: 'stop' };
export type LoadAnswer =
  | { readonly kind: 'ready'; readonly url: string; readonly socketPath: string }
  /** A run that has asked its model. */
  | { readonly kind: 'working'; readonly run: string }
  | {
      readonly kind: 'counts';
      readonly ended: number;
      readonly events: number;
      readonly cpuMs: number;
      /** How late timers came since the last time, 99th percentile and worst. */
      readonly lateP99Ms: number;
      readonly lateMaxMs: number;
      /** Spent collecting garbage on the main thread since the last time, all together and longest. */
      readonly collectingMs: number;
      readonly longestCollectionMs: number;
    }
  | { readonly kind: 'trouble'; readonly text: string };

const blueprint = 'version: 1\nsteps: [agent]\n';

const [home, maxRuns, commandMs, cassette, ...repositories] = process.argv.slice(2);
if (home === undefined || cassette === undefined || process.send === undefined) process.exit(2);
const answer = (message: LoadAnswer): void => void process.send?.(message);
const working = new Set<string>();
let ended = 0;
let events = 0;
let started = 0;

const late = monitorEventLoopDelay({ resolution: 10 });
late.enable();
let collections: number[] = [];
new PerformanceObserver((list) => {
  collections.push(...list.getEntries().map(({ duration }) => duration));
}).observe({ entryTypes: ['gc'] });

const server = await startServer({
  home,
  env: process.env,
  parts: ['api', 'worker'],
  listen: { host: '127.0.0.1', port: 0 },
  onProgress: (text) => answer({ kind: 'trouble', text }),
  maxRuns: Number(maxRuns),
  driver: new MemoryOnlyDriver(async ({ command, id }) => {
    const isAgents = 'argv' in command && command.argv.at(-1)?.startsWith('true # work') === true;
    // Not all at the same moment: between half and one and a half of the time.
    const share = 0.5 + (Number.parseInt(id.slice(-4), 36) % 1_000) / 1_000;
    if (isAgents) await delay(Number(commandMs) * (Number.isNaN(share) ? 1 : share));
    return '';
  }),
  onAppended: (state, types) => {
    events += types.length;
    if (types.includes('model.requested') && !working.has(state.runId)) {
      working.add(state.runId);
      answer({ kind: 'working', run: state.runId });
    }
    if (!types.includes('run.ended')) return;
    ended += 1;
    if (state.ended?.outcome !== 'succeeded') answer({ kind: 'trouble', text: state.ended?.sentence ?? '' });
  },
});

/** An overloaded server refuses a task; whoever hands it in tries again. */
async function handIn(task: CreateTask): Promise<void> {
  for (;;) {
    try {
      await server.controlPlane.createTask(task);
      return;
    } catch (error) {
      if (asBerthError(error).code !== 'DATABASE_UNAVAILABLE') throw error;
      await delay(200);
    }
  }
}

async function handle(request: LoadRequest): Promise<void> {
  switch (request.kind) {
    case 'start':
      for (let index = 0; index < request.runs; index += 1) {
        const repository = repositories[started % repositories.length] ?? '';
        started += 1;
        const task = sampleTask(repository, blueprint);
        await handIn({ ...task, options: { ...task.options, cassette: cassette ?? '' } });
      }
      return;
    case 'counts':
      answer({
        kind: 'counts',
        ended,
        events,
        cpuMs: process.cpuUsage().user / 1_000 + process.cpuUsage().system / 1_000,
        // Of the resolution each is a timer's own.
        lateP99Ms: Math.max(0, late.percentile(99) / 1e6 - 10),
        lateMaxMs: Math.max(0, late.max / 1e6 - 10),
        collectingMs: collections.reduce((sum, ms) => sum + ms, 0),
        longestCollectionMs: Math.max(0, ...collections),
      });
      late.reset();
      collections = [];
      return;
    case 'stop':
      await server.stop();
      process.exit(0);
  }
}

process.on('message', (request) => {
  handle(request as LoadRequest).catch((error: unknown) => answer({ kind: 'trouble', text: String(error) }));
});
answer({ kind: 'ready', url: server.url ?? '', socketPath: server.socketPath });
