import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { runnerArgv, runnerEnvironment, sandboxdArgv, sandboxdBundle } from '@berth/sandboxd';
import { connectChannel } from '../channel/connect.ts';
import type { EgressDecision, EgressPolicy } from '../domain/egress.ts';
import { noEgress } from '../domain/egress.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../domain/ports/sandbox.ts';
import { ChannelSandbox } from '../sandboxes/channel-sandbox.ts';
import { testClock } from './test-clock.ts';

export interface FakeDriverOptions {
  readonly clock?: Clock;
  /** Gets every connection from inside; without it they are refused. */
  readonly onEgressStream?: (stream: Duplex, sandboxId: string, policy: EgressPolicy) => void;
  readonly pingEveryMs?: number;
}

interface Place {
  spec: SandboxSpec;
  readonly directory: string;
  readonly bootId: string;
  readonly sandboxd: ChildProcess;
  readonly runner: ChildProcess;
  createdMs: number;
  policy: EgressPolicy;
}

/**
 * Sandboxes for tests of other rooms: a real sandboxd and a real runner as plain processes of this machine, in a
 * temporary directory. NOTHING IS ISOLATED: commands run as this user, with this user's network and files.
 */
export class UnisolatedFakeDriver implements SandboxDriver {
  readonly name = 'fake';
  readonly #options: FakeDriverOptions;
  readonly #places = new Map<string, Place>();

  constructor(options: FakeDriverOptions = {}) {
    this.#options = options;
  }

  probe(): ReturnType<SandboxDriver['probe']> {
    return Promise.resolve({ ok: true, checks: [] });
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const place = await start(spec);
    this.#places.set(spec.id, place);
    try {
      return await this.#connect(place, spec, signal);
    } catch (error) {
      await this.destroy(spec.id);
      throw error;
    }
  }

  async attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<ChannelSandbox | null> {
    const place = this.#places.get(ref.id);
    if (place === undefined || place.bootId !== ref.bootId || place.sandboxd.exitCode !== null) return null;
    return await this.#connect(place, spec, signal);
  }

  async assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const sandbox = await this.attach(idle, { ...spec, id: idle.id }, signal);
    const place = this.#places.get(idle.id);
    if (sandbox === null || place === undefined) return null;
    place.spec = { ...spec, id: idle.id };
    place.createdMs = Date.now();
    try {
      await sandbox.channel.assign(spec.env);
      return sandbox;
    } catch (error) {
      await sandbox.detach();
      if (error instanceof BerthError && error.code === 'EXEC_REFUSED') return null;
      throw error;
    }
  }

  list(): ReturnType<SandboxDriver['list']> {
    return Promise.resolve(
      [...this.#places.values()].map(({ spec, createdMs }) => ({
        id: spec.id,
        runId: spec.runId,
        createdMs,
      })),
    );
  }

  fingerprint(): Promise<string> {
    return Promise.resolve('this machine');
  }

  async destroy(id: string): Promise<void> {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    await Promise.all([terminate(place.runner), terminate(place.sandboxd)]);
    await rm(place.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Destroys what tests left. */
  async destroyAll(): Promise<void> {
    await Promise.all([...this.#places.keys()].map((id) => this.destroy(id)));
  }

  /** The directory that is `/workspace` inside. */
  workspaceOf(id: string): string {
    return join(this.#known(id).directory, 'workspace');
  }

  /** The unix socket sandboxd listens on for workers. */
  socketOf(id: string): string {
    return join(this.#known(id).directory, 'worker', 'sandboxd.sock');
  }

  /** The supervisor of the runner and sandboxd, for tests that end them. */
  processesOf(id: string): { readonly runnerSupervisor: number; readonly sandboxd: number } {
    const { runner, sandboxd } = this.#known(id);
    return { runnerSupervisor: runner.pid!, sandboxd: sandboxd.pid! };
  }

  #known(id: string): Place {
    const place = this.#places.get(id);
    if (place === undefined) throw new Error(`no sandbox ${id}`);
    return place;
  }

  async #connect(place: Place, spec: SandboxSpec, signal: AbortSignal): Promise<ChannelSandbox> {
    const { onEgressStream, pingEveryMs } = this.#options;
    place.policy = spec.egress;
    const channel = await connectChannel({
      socketPath: join(place.directory, 'worker', 'sandboxd.sock'),
      sandboxId: spec.id,
      epoch: spec.epoch,
      clock: this.#options.clock ?? testClock,
      signal,
      ...(pingEveryMs === undefined ? {} : { pingEveryMs }),
      ...(onEgressStream === undefined
        ? {}
        : { onEgressStream: (stream: Duplex) => onEgressStream(stream, spec.id, place.policy) }),
    });
    const listeners: Array<(decision: EgressDecision) => void> = [];
    return new ChannelSandbox({
      channel,
      ref: { id: spec.id, driver: 'fake', bootId: channel.hello.bootId, address: place.directory },
      diskLimitBytes: spec.limits.diskBytes,
      destroy: () => this.destroy(spec.id),
      setEgress: (policy) => {
        place.policy = policy;
      },
      onEgress: (listener) => listeners.push(listener),
    });
  }
}

async function start(spec: SandboxSpec): Promise<Place> {
  const bundle = await sandboxdBundle();
  const directory = await mkdtemp(join(tmpdir(), 'berth-unisolated-'));
  for (const name of ['worker', 'runner', 'spool', 'workspace', 'home', 'tmp']) {
    await mkdir(join(directory, name), { mode: 0o700 });
  }
  const runnerSocket = join(directory, 'runner', 'runner.sock');
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  const sandboxd = run(
    sandboxdArgv({
      node: process.execPath,
      bundle: bundle.sandboxd,
      sandboxId: spec.id,
      workerSocket: join(directory, 'worker', 'sandboxd.sock'),
      runnerSocket,
      spoolDirectory: join(directory, 'spool'),
    }),
    { PATH: path },
  );
  const bootId = await readyBootId(sandboxd);
  const runner = run(
    runnerArgv({
      node: process.execPath,
      bundle: bundle.runner,
      sandboxId: spec.id,
      socket: runnerSocket,
      egressPort: 0,
      workspace: join(directory, 'workspace'),
    }),
    runnerEnvironment({
      PATH: path,
      HOME: join(directory, 'home'),
      TMPDIR: join(directory, 'tmp'),
      LANG: 'C.UTF-8',
      PAGER: 'cat',
      GIT_PAGER: 'cat',
      ...spec.env,
    }),
  );
  return { spec, directory, bootId, sandboxd, runner, createdMs: Date.now(), policy: noEgress };
}

function run(argv: readonly string[], env: Record<string, string>): ChildProcess {
  const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'inherit'] });
  child.on('error', () => {});
  return child;
}

/** sandboxd's first line says that it listens. */
function readyBootId(sandboxd: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    sandboxd.stdout!.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      if (!said.includes('\n')) return;
      resolve((JSON.parse(said.slice(0, said.indexOf('\n'))) as { bootId: string }).bootId);
    });
    sandboxd.once('exit', (code) => reject(new Error(`sandboxd ended with ${code}`)));
  });
}

async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), 5_000);
    child.once('exit', () => {
      clearTimeout(hard);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

let counter = 0;

/** A spec for tests; every id is new. */
export function fakeSpec(overrides: Partial<SandboxSpec> = {}): SandboxSpec {
  counter += 1;
  return {
    id: `test-${process.pid}-${Date.now().toString(36)}-${counter}`,
    runId: 'r_test',
    purpose: 'work',
    epoch: 1,
    limits: {
      memoryBytes: 2 ** 31,
      cpus: 2,
      processes: 512,
      openFiles: 4096,
      fileBytes: 2 ** 30,
      diskBytes: 2 ** 30,
    },
    env: {},
    egress: noEgress,
    profile: null,
    ...overrides,
  };
}
