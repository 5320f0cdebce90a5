import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runAgent } from '../agent/index.ts';
import type { AgentInput, AgentResult } from '../agent/index.ts';
import { systemClock } from '../domain/clock.ts';
import { BerthError } from '../domain/errors/index.ts';
import { eventTypes } from '../domain/events/index.ts';
import type { EventType, NewEvent, StoredEvent } from '../domain/events/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import type { RunLimits } from '../domain/limits.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { Model } from '../domain/ports/model.ts';
import type { LimitsGate, RunContext, Workbench } from '../domain/ports/run-context.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { foldAll } from '../domain/run-state.ts';
import { UnisolatedFakeDriver, fakeSpec } from './fake-sandbox.ts';

/** Stands for `kill -9` in a test: thrown out of the log, after which this life can store nothing. */
export class Killed extends Error {}

export interface KillAt {
  /** The life ends at the event with this number … */
  readonly seq: number;
  /** … once it is stored, or just before (its work done, its record missing). */
  readonly stored: boolean;
}

export class MemoryBlobs implements Blobs {
  readonly stored = new Map<string, Uint8Array>();

  async put(data: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
    const chunks: Uint8Array[] = [];
    if (data instanceof Uint8Array) chunks.push(data);
    else for await (const chunk of data) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const key = `sha256-${createHash('sha256').update(all).digest('hex')}`;
    this.stored.set(key, all);
    return key;
  }

  async get(key: string): Promise<Uint8Array> {
    return await Promise.resolve(this.stored.get(key)!);
  }

  async *stream(key: string): AsyncGenerator<Uint8Array> {
    const all = await this.get(key);
    for (let at = 0; at < all.length; at += 65_536) yield all.subarray(at, at + 65_536);
  }
}

/** Reservations as the database would hold them: they outlive a kill. */
export class MemoryLimits implements LimitsGate {
  caps: RunLimits;
  minutes = 0;
  readonly calls = new Map<string, { costUsd: number; tokens: number; settled: boolean }>();
  /** The most that was ever used and reserved together. */
  peakUsd = 0;
  peakTokens = 0;

  constructor(caps: Partial<RunLimits>) {
    this.caps = { ...defaultRunLimits, ...caps };
  }

  #sum(what: 'costUsd' | 'tokens', settled?: boolean): number {
    return [...this.calls.values()]
      .filter((call) => settled === undefined || call.settled === settled)
      .reduce((sum, call) => sum + call[what], 0);
  }

  async reserve(request: { callId: string; costUsd: number; tokens: number }): Promise<void> {
    if (this.calls.size >= this.caps.steps && !this.calls.has(request.callId))
      throw new BerthError('LIMIT_STEPS');
    if (this.#sum('costUsd') + request.costUsd > this.caps.costUsd + 1e-9) throw new BerthError('LIMIT_COST');
    if (this.#sum('tokens') + request.tokens > this.caps.tokens) throw new BerthError('LIMIT_TOKENS');
    const { callId, ...bound } = request;
    this.calls.set(callId, { ...bound, settled: false });
    this.peakUsd = Math.max(this.peakUsd, this.#sum('costUsd'));
    this.peakTokens = Math.max(this.peakTokens, this.#sum('tokens'));
    await Promise.resolve();
  }

  async settle({
    callId,
    costUsd,
    tokens,
  }: {
    callId: string;
    costUsd: number;
    tokens: number;
  }): Promise<void> {
    const call = this.calls.get(callId);
    if (call?.settled === false) this.calls.set(callId, { costUsd, tokens, settled: true });
    await Promise.resolve();
  }

  async forfeit(callId: string): Promise<void> {
    const call = this.calls.get(callId);
    if (call !== undefined) call.settled = true;
    await Promise.resolve();
  }

  async remaining(): ReturnType<LimitsGate['remaining']> {
    const used = {
      costUsd: this.#sum('costUsd', true),
      tokens: this.#sum('tokens', true),
      steps: this.calls.size,
      minutes: this.minutes,
      rounds: 0,
    };
    return await Promise.resolve({ caps: this.caps, used, reservedUsd: this.#sum('costUsd', false) });
  }
}

export interface HarnessOptions {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly limits?: Partial<RunLimits>;
  /** Directory that is put before PATH in the sandbox. */
  readonly tools?: string;
}

/** One run in memory over real sandboxd and runner processes, with lives that can be killed. */
export class AgentHarness {
  readonly driver = new UnisolatedFakeDriver();
  readonly log: StoredEvent[] = [];
  readonly frames: LiveFrame[] = [];
  readonly blobs = new MemoryBlobs();
  readonly limits: MemoryLimits;
  readonly home = mkdtempSync(join(tmpdir(), 'berth-agent-'));
  sandboxId = '';
  checkpointsAsked = 0;
  /** Called after each stored event, to act in the middle of a run. */
  onEvent: (event: StoredEvent) => void = () => undefined;
  readonly #env: Readonly<Record<string, string>>;
  #epoch = 0;
  #sandbox: Sandbox | null = null;

  constructor(options: HarnessOptions = {}) {
    this.limits = new MemoryLimits(options.limits ?? {});
    this.#env =
      options.tools === undefined
        ? {}
        : { PATH: `${options.tools}:${process.env['PATH'] ?? '/usr/bin:/bin'}` };
    mkdirSync(join(this.home, 'base'));
    for (const [path, content] of Object.entries(options.files ?? {})) {
      mkdirSync(dirname(join(this.home, 'base', path)), { recursive: true });
      writeFileSync(join(this.home, 'base', path), content);
    }
  }

  get workspace(): string {
    return this.driver.workspaceOf(this.sandboxId);
  }

  get repository(): string {
    return join(this.workspace, 'repo');
  }

  /** The file in the sandbox's repository, as text. */
  file(path: string): string {
    return readFileSync(join(this.repository, path), 'utf8');
  }

  /** Every file of the repository with its content. */
  tree(): Record<string, string> {
    const files = readdirSync(this.repository, { recursive: true, withFileTypes: true });
    return Object.fromEntries(
      files
        .filter((file) => file.isFile())
        .map((file) => join(file.parentPath, file.name))
        .sort()
        .map((path) => [path.slice(this.repository.length + 1), readFileSync(path, 'utf8')]),
    );
  }

  events<Type extends EventType>(type: Type): Extract<StoredEvent, { type: Type }>[] {
    return this.log.filter((event): event is Extract<StoredEvent, { type: Type }> => event.type === type);
  }

  /** One life of a worker: drives the agent step until it ends or the life is killed. */
  async live(
    input: Partial<AgentInput> & { readonly model: Model; readonly condense?: Model },
    options: { readonly kill?: KillAt; readonly signal?: AbortSignal } = {},
  ): Promise<AgentResult> {
    const { model, condense, ...rest } = input;
    const ctx = this.context(options);
    try {
      return await runAgent(ctx, {
        stepKey: '2:agent',
        opening: { kind: 'task', brief: { task: 'Fix the bug.', items: [] } },
        models: { primary: model, condense: condense ?? model },
        rules: () => Promise.resolve([]),
        ...rest,
      });
    } finally {
      await this.#sandbox?.detach();
      this.#sandbox = null;
    }
  }

  context(options: { readonly kill?: KillAt; readonly signal?: AbortSignal } = {}): RunContext {
    this.#epoch += 1;
    const epoch = this.#epoch;
    let killed = false;
    const append = async (...events: NewEvent[]): Promise<StoredEvent[]> => {
      const stored: StoredEvent[] = [];
      if (killed) throw new Killed();
      for (const event of events) {
        const seq = this.log.length + 1;
        if (options.kill?.seq === seq && !options.kill.stored) {
          killed = true;
          throw new Killed();
        }
        const data = JSON.parse(JSON.stringify(eventTypes[event.type].data.parse(event.data))) as unknown;
        const entry = { ...event, data, runId: 'r_test', seq, at: new Date().toISOString() } as StoredEvent;
        this.log.push(entry);
        stored.push(entry);
        this.onEvent(entry);
        if (options.kill?.seq === seq) {
          killed = true;
          throw new Killed();
        }
      }
      return await Promise.resolve(stored);
    };
    return {
      runId: 'r_test',
      clock: systemClock,
      signal: options.signal ?? new AbortController().signal,
      events: { append, live: (frame) => this.frames.push(frame) },
      log: {
        state: () => foldAll('r_test', this.log),
        events: async (filter = {}) =>
          await Promise.resolve(
            this.log.filter(
              (event) =>
                event.seq > (filter.afterSeq ?? 0) &&
                (filter.types === undefined || filter.types.includes(event.type)),
            ),
          ),
      },
      blobs: this.blobs,
      limits: this.limits,
      workbench: this.#workbench(epoch, append),
    };
  }

  #workbench(epoch: number, append: (...events: NewEvent[]) => Promise<StoredEvent[]>): Workbench {
    const unused = (): never => {
      throw new Error('not part of this harness');
    };
    return {
      repositoryPath: '/workspace/repo',
      sandbox: async () => await this.#liveSandbox(epoch, append),
      checkpointSoon: () => {
        this.checkpointsAsked += 1;
      },
      checkpoint: async () => {
        this.saveCheckpoint();
        return await Promise.resolve({ tree: '', proposalTree: '' });
      },
      command: unused,
      setEgress: unused,
      duringAgent: (work) => work(),
      release: unused,
    };
  }

  saveCheckpoint(): void {
    rmSync(join(this.home, 'checkpoint'), { recursive: true, force: true });
    cpSync(this.repository, join(this.home, 'checkpoint'), { recursive: true });
  }

  /** Ends the sandbox under the run, as a killed node would. */
  async loseSandbox(): Promise<void> {
    await this.driver.destroy(this.sandboxId);
  }

  async #liveSandbox(
    epoch: number,
    append: (...events: NewEvent[]) => Promise<StoredEvent[]>,
  ): Promise<Sandbox> {
    const known = (await this.driver.list()).some((place) => place.id === this.sandboxId);
    if (this.#sandbox !== null && known) return this.#sandbox;
    const signal = new AbortController().signal;
    const created = this.events('sandbox.created').at(-1);
    if (created !== undefined && known) {
      const attached = await this.driver.attach(
        created.data.ref,
        fakeSpec({ id: this.sandboxId, epoch }),
        signal,
      );
      if (attached !== null) return (this.#sandbox = attached);
    }
    if (created !== undefined && created.data.ref.id === this.sandboxId) {
      const data = {
        purpose: 'work' as const,
        id: this.sandboxId,
        code: 'SANDBOX_LOST',
        sentence: 'It is gone.',
      };
      await append({ type: 'sandbox.lost', data });
    }
    const spec = fakeSpec({ epoch, env: this.#env });
    const sandbox = await this.driver.create(spec, signal);
    const saved = join(this.home, 'checkpoint');
    const from = existsSync(saved) ? saved : join(this.home, 'base');
    cpSync(from, join(this.driver.workspaceOf(spec.id), 'repo'), { recursive: true });
    this.sandboxId = spec.id;
    this.#sandbox = sandbox;
    await append({
      type: 'sandbox.created',
      data: {
        purpose: 'work',
        ref: sandbox.ref,
        commit: '0'.repeat(40),
        durationMs: 1,
        restoredFrom: existsSync(saved) ? 'checkpoint' : null,
      },
    });
    return sandbox;
  }

  async close(): Promise<void> {
    await this.#sandbox?.detach();
    await this.driver.destroyAll();
    rmSync(this.home, { recursive: true, force: true });
  }
}
