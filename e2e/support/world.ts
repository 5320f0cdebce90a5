import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';
import type { EventView, RunView } from '../../packages/server/src/domain/views.ts';
import { startServer, type RunningServer, type StartServerOptions } from '../../packages/server/src/main.ts';
import { type Files, makeRepository } from '../../packages/server/src/testing/git-fixtures.ts';
import { seedDatabase } from '../../packages/server/src/testing/seed-database.ts';
import { request } from './start-run.ts';

export interface RunResult {
  readonly run: RunView;
  readonly events: readonly EventView[];
}

/** One real server of a data directory, in this process, and what tests do with it. */
export interface World {
  readonly directory: string;
  readonly home: string;
  /** Where root's homes have their databases. */
  readonly databaseRoot: string;
  readonly server: RunningServer;
  /** A repository with one commit of these files. */
  repository(name: string, files?: Files): string;
  start(task: CreateTask): Promise<string>;
  /** Follows a run to its end. */
  ended(runId: string): Promise<RunResult>;
  run(task: CreateTask): Promise<RunResult>;
  remove(): Promise<void>;
}

/** Longest that a run of these tests may take on a machine that does much else. */
const longestRunMs = 240_000;

export async function openWorld(
  over: Partial<Omit<StartServerOptions, 'home'>> & { readonly directory?: string } = {},
): Promise<World> {
  const { directory = mkdtempSync('/var/tmp/berth-e2e-'), ...options } = over;
  // The database's account must be able to pass.
  chmodSync(directory, 0o711);
  const home = join(directory, 'home');
  const databaseRoot = join(directory, 'databases');
  await seedDatabase({ home, rootDirectory: databaseRoot });
  const server = await startServer({
    home,
    env: {},
    parts: ['api', 'worker'],
    onProgress: () => undefined,
    databaseRoot,
    ...options,
  });
  const { controlPlane } = server;
  const start = async (task: CreateTask): Promise<string> => (await controlPlane.createTask(task)).run.id;
  const ended = async (runId: string): Promise<RunResult> => {
    const signal = AbortSignal.timeout(longestRunMs);
    for await (const item of controlPlane.follow(runId, 0, signal)) {
      if ('event' in item && process.env['E2E_VERBOSE'] !== undefined)
        process.stderr.write(`${item.event.at} ${item.event.seq} ${item.event.type} ${item.event.title}\n`);
    }
    const events = await controlPlane.listEvents(runId, { afterSeq: 0, limit: 5_000 });
    return { run: await controlPlane.getRun(runId), events };
  };
  return {
    directory,
    home,
    databaseRoot,
    server,
    repository: (name, files = { 'README.md': `# ${name}\n` }) =>
      makeRepository(join(directory, 'repositories', name), files),
    start,
    ended,
    run: async (task) => ended(await start(task)),
    async remove() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A directory below the world's, made. */
export function below(world: World, name: string): string {
  const path = join(world.directory, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** A task with the text of a blueprint that needs no model. */
export function withBlueprint(
  repository: string,
  blueprint: string,
  options: Parameters<typeof request>[1] = {},
): CreateTask {
  return request(repository, { blueprint: { path: 'given.yaml', text: blueprint }, ...options });
}

/** A blueprint that makes one change by a script and proposes it; `run` has to pass on it. */
export function changing(fix: string, run = 'true'): string {
  return `version: 1
checks:
  - name: change
    kind: format
    run: ${JSON.stringify(run)}
    fix: ${JSON.stringify(fix)}
    timeoutMinutes: 2
steps: [check, verify, propose]
`;
}

/** A blueprint of one check. */
export function checking(run: string, timeoutMinutes = 1): string {
  return `version: 1
checks:
  - name: look
    kind: test
    run: ${JSON.stringify(run)}
    timeoutMinutes: ${timeoutMinutes}
steps: [check]
`;
}

/** The data of the entries of one type. */
export function dataOf<T>({ events }: Pick<RunResult, 'events'>, type: string): T[] {
  return events.filter((event) => event.type === type).map((event) => event.data as T);
}
