import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';
import type { EventView, RunView } from '../../packages/server/src/domain/views.ts';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import type { SandboxDriver } from '../../packages/server/src/domain/ports/sandbox.ts';
import {
  BubblewrapDriver,
  type BubblewrapOptions,
  defaultStateDirectory,
} from '../../packages/server/src/sandboxes/bubblewrap/index.ts';
import { startServer, type RunningServer } from '../../packages/server/src/main.ts';
import { cassetteText, script } from '../../packages/server/src/models/index.ts';
import { removeHomes } from '../../packages/server/src/testing/remove-homes.ts';
import { seedDatabase } from '../../packages/server/src/testing/seed-database.ts';
import { repositoryOf, request } from './start-run.ts';

type Answers = Parameters<typeof script>[0];
type ScriptOptions = NonNullable<Parameters<typeof script>[1]>;
type Options = Parameters<typeof request>[1];

/** A run that came to its end, with its whole log. */
export interface Ended {
  readonly run: RunView;
  readonly events: readonly EventView[];
}

/** A whole Berth in this process: real database, real sandboxes, real git, the local forge. */
export interface HostedServer {
  readonly home: string;
  readonly directory: string;
  server(): RunningServer;
  /** Stops it in good order and starts it again on the same data directory. */
  restart(whileDown?: () => void): Promise<void>;
  /** A repository of these files with one commit. */
  repository(files: Readonly<Record<string, string>>): string;
  cassette(answers: Answers, options?: ScriptOptions): string;
  /** Hands a task in; answers the run's id. */
  start(repository: string, options?: Options, more?: Partial<CreateTask>): Promise<string>;
  /** Waits for the end of a run. */
  end(runId: string): Promise<Ended>;
  /** Waits for the first entry after `afterSeq` that fits. */
  entry(runId: string, fits: (event: EventView) => boolean, afterSeq?: number): Promise<EventView>;
  /** Waits until a running command has printed this. */
  output(runId: string, text: string): Promise<void>;
  events(runId: string): Promise<readonly EventView[]>;
  close(): Promise<void>;
}

/** The longest a test waits for something that is on its way. */
const patienceMs = 240_000;

export interface HostOptions {
  /** Another way out of the sandboxes than the one of this machine. */
  readonly egress?: NonNullable<BubblewrapOptions['egress']>;
  /** Runs at once. */
  readonly maxRuns?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** The text of its `berth.yaml`. */
  readonly config?: string;
}

export async function hostServer(options: HostOptions = {}): Promise<HostedServer> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
  const home = join(directory, 'home');
  const databaseRoot = join('/var/tmp', `berth-e2e-${process.pid}-${randomBytes(4).toString('hex')}`);
  let made = 0;
  const start = (): Promise<RunningServer> =>
    startServer({
      home,
      databaseRoot,
      env: options.env ?? {},
      parts: ['worker'],
      maxRuns: options.maxRuns ?? 4,
      ...(options.egress === undefined ? {} : { driver: driverOf(home, options.egress) }),
      onProgress: (sentence) => {
        if (process.env['E2E_VERBOSE'] !== undefined) process.stderr.write(`${sentence}\n`);
      },
    });
  if (options.config !== undefined) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(join(home, 'berth.yaml'), options.config);
  }
  await seedDatabase({ home, rootDirectory: databaseRoot });
  let running = await start();

  const hosted: HostedServer = {
    home,
    directory,
    server: () => running,
    async restart(whileDown) {
      await running.stop();
      whileDown?.();
      running = await start();
    },
    repository(files) {
      made += 1;
      const path = join(directory, `sample-${made}`);
      repositoryOf(path, files);
      return path;
    },
    cassette(answers, options) {
      made += 1;
      const path = join(directory, `cassette-${made}.jsonl`);
      writeFileSync(path, cassetteText(script(answers, options)));
      return path;
    },
    async start(repository, options, more) {
      const { run } = await running.controlPlane.createTask({ ...request(repository, options), ...more });
      return run.id;
    },
    async end(runId) {
      for await (const item of running.controlPlane.follow(runId, 0, AbortSignal.timeout(patienceMs))) {
        if ('event' in item && process.env['E2E_VERBOSE'] !== undefined)
          process.stderr.write(`${runId} ${item.event.seq} ${item.event.type} ${item.event.title}\n`);
      }
      return { run: await running.controlPlane.getRun(runId), events: await hosted.events(runId) };
    },
    async entry(runId, fits, afterSeq = 0) {
      const signal = AbortSignal.timeout(patienceMs);
      for await (const item of running.controlPlane.follow(runId, afterSeq, signal)) {
        if ('event' in item && fits(item.event)) return item.event;
      }
      throw new Error(`the run ${runId} ended without the entry that was waited for`);
    },
    async output(runId, text) {
      const signal = AbortSignal.timeout(patienceMs);
      let printed = '';
      for await (const item of running.controlPlane.follow(runId, 0, signal)) {
        if ('frame' in item && item.frame.kind === 'output') printed += item.frame.text;
        if (printed.includes(text)) return;
      }
      throw new Error(`the run ${runId} ended without the output that was waited for`);
    },
    events: (runId) => running.controlPlane.listEvents(runId, { afterSeq: 0, limit: 5_000 }),
    async close() {
      await running.stop();
      removeHomes(directory);
      rmSync(defaultStateDirectory(home), { recursive: true, force: true });
      rmSync(databaseRoot, { recursive: true, force: true });
    },
  };
  return hosted;
}

function driverOf(home: string, egress: NonNullable<BubblewrapOptions['egress']>): SandboxDriver {
  return new BubblewrapDriver({ stateDirectory: defaultStateDirectory(home), clock: systemClock, egress });
}
