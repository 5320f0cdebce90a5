import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { EventView } from '../../packages/server/src/domain/views.ts';
import { type RunningServer, startServer } from '../../packages/server/src/main.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { withPostgres } from '../lib/database.ts';
import { sampleRepository, sampleTask } from '../lib/sample-repository.ts';
import { bubblewrapDriver } from '../lib/sandbox.ts';
import { type SilentModel, startSilentModel } from '../lib/silent-model.ts';
import { median, percentile } from '../lib/statistics.ts';

/** The default steps, with nothing to set up and nothing to check. */
const withoutSetup = 'version: 1\nname: bench\n';

export async function run(context: BenchmarkContext): Promise<Measured> {
  const model = await startSilentModel();
  try {
    return await withPostgres(context, async (databaseUrl) => {
      const server = await startServer({
        home: join(context.directory, 'home'),
        env: { ...model.env, DATABASE_URL: databaseUrl },
        parts: ['api', 'worker'],
        onProgress: (text) => process.stderr.write(`  server: ${text}\n`),
        driver: bubblewrapDriver(context),
      });
      try {
        return await measure(context, server, model);
      } finally {
        await server.stop();
      }
    });
  } finally {
    await model.close();
  }
}

async function measure(
  { quick, directory, signal }: BenchmarkContext,
  server: RunningServer,
  model: SilentModel,
): Promise<{ figures: Figure[]; notes: string[] }> {
  const repository = sampleRepository(directory);
  const run = (blueprint: string | null): Promise<Way> =>
    wayToModel(server, model, { repository, blueprint, signal });
  const cold = await run(withoutSetup);
  await run(withoutSetup);
  const ways: Way[] = [];
  for (let index = 0; index < (quick ? 2 : 10); index += 1) ways.push(await run(withoutSetup));
  const totals = ways.map((way) => way.totalMs);
  const figures: Figure[] = [
    { name: 'without setup, median', value: median(totals), unit: 'ms', goal: { below: 500 } },
    { name: 'without setup, slowest', value: percentile(totals, 1), unit: 'ms' },
    { name: 'the first run of all (cold caches)', value: cold.totalMs, unit: 'ms' },
    ...breakdown(ways),
  ];
  const notes = ['each line of the breakdown: time since the event before it; median of the same runs'];
  const detected = await detectedWays(run, quick ? 1 : 3);
  if ('failure' in detected) notes.push(`with setup (detected: npm ci): not measured, ${detected.failure}`);
  else {
    const ms = detected.ways.map((way) => way.totalMs);
    figures.push({ name: 'with setup (detected: npm ci)', value: median(ms), unit: 'ms' });
  }
  return { figures, notes };
}

interface Way {
  readonly totalMs: number;
  /** Events from the one after `run.owned` to `model.requested`, with the time since the one before. */
  readonly parts: ReadonlyArray<{ readonly name: string; readonly ms: number }>;
}

/** One run until its first model call has been sent; cancelled then. */
async function wayToModel(
  server: RunningServer,
  model: SilentModel,
  options: { readonly repository: string; readonly blueprint: string | null; readonly signal: AbortSignal },
): Promise<Way> {
  const { controlPlane } = server;
  const asked = Promise.withResolvers<void>();
  model.onRequest(() => asked.resolve());
  const { run } = await controlPlane.createTask(sampleTask(options.repository, options.blueprint));
  const ended = followToEnd(server, run.id, options.signal);
  const over = await Promise.race([asked.promise.then(() => null), ended]);
  const events = over ?? (await controlPlane.listEvents(run.id, { afterSeq: 0, limit: 200 }));
  if (over === null) {
    await controlPlane.cancel(run.id, 'bench');
    await ended;
  }
  return wayOf(events);
}

async function followToEnd(server: RunningServer, runId: string, signal: AbortSignal): Promise<EventView[]> {
  const events: EventView[] = [];
  for await (const item of server.controlPlane.follow(runId, 0, signal)) {
    if ('event' in item) events.push(item.event);
  }
  return events;
}

function wayOf(events: readonly EventView[]): Way {
  const owned = events.findIndex((event) => event.type === 'run.owned');
  const requested = events.findIndex((event) => event.type === 'model.requested');
  if (owned < 0 || requested < 0) {
    throw new Error(`no model was asked: ${events.at(-1)?.title ?? 'no events'}`);
  }
  const between = events.slice(owned, requested + 1);
  const at = (event: EventView | undefined): number => Date.parse(event?.at ?? '');
  const parts = between.slice(1).map((event, index) => ({
    name: nameOf(event),
    ms: at(event) - at(between[index]),
  }));
  return { totalMs: at(between.at(-1)) - at(between[0]), parts };
}

function nameOf({ type, data }: EventView): string {
  const { key } = data as { readonly key?: string };
  return key === undefined ? type : `${type} ${key}`;
}

/** The detected blueprint sets up with npm, which needs a registry that can be reached. */
async function detectedWays(
  run: (blueprint: null) => Promise<Way>,
  times: number,
): Promise<{ readonly ways: readonly Way[] } | { readonly failure: string }> {
  const startedMs = performance.now();
  const ways: Way[] = [];
  try {
    for (let index = 0; index < times && performance.now() - startedMs < 40_000; index += 1)
      ways.push(await run(null));
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
  return { ways };
}

function breakdown(ways: readonly Way[]): Figure[] {
  const names = ways[0]?.parts.map((part) => part.name) ?? [];
  return names.map((name, index) => ({
    name: `  → ${name}`,
    value: median(ways.map((way) => way.parts[index]?.ms ?? 0)),
    unit: 'ms',
  }));
}
