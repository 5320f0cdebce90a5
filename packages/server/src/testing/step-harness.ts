import { createHash } from 'node:crypto';
import { defaultRunLimits, type RunLimits } from '../domain/limits.ts';
import { blueprintSchema, type Blueprint } from '../domain/blueprint.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { EventData, NewEvent, StoredEvent } from '../domain/events/index.ts';
import type { PlannedGates } from '../domain/gates.ts';
import type { PullRequest } from '../domain/ports/forge.ts';
import type { CommandOutcome, DurableCommand, RunContext, Workbench } from '../domain/ports/run-context.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import type { SandboxPurpose } from '../domain/purpose.ts';
import { foldAll, type RunState } from '../domain/run-state.ts';
import { runOptionsSchema } from '../domain/task.ts';
import type { ChangedFile, PolicyFinding, StepDeps } from '../blueprints/steps/step.ts';
import { forgeOf } from './step-forge.ts';

/** What a command does in the harness. */
export interface Answer {
  readonly exitCode?: number;
  readonly output?: string;
  readonly timedOut?: boolean;
  /** The sandbox dies while it runs. */
  readonly losesSandbox?: boolean;
}

export interface Executed {
  readonly purpose: SandboxPurpose;
  readonly sandboxId: string;
  readonly id: string;
  readonly run: string;
  readonly args: readonly string[];
  /** The rules that were open while it ran. */
  readonly egress: number;
}

export interface World {
  /** The tree a proposal of the work sandbox would carry now. */
  tree: string;
  /** Answers commands. The tree confirmation and the list of changed files have answers of their own. */
  respond(purpose: SandboxPurpose, command: DurableCommand, world: World): Answer;
  changed: readonly string[];
  agent(
    request: { round: number; repair: string | null },
    world: World,
  ): EventData<'agent.finished'>['result'];
  judge: string;
  /** Contents by `commit:path`. */
  readonly contents: Map<string, string>;
  readonly proposed: ChangedFile[];
  findings: readonly PolicyFinding[];
  /** What the verify sandbox says its tree is; null: the proposed one. */
  verifyTree: string | null;
  readonly executed: Executed[];
  readonly branches: Map<string, string>;
  readonly kept: Map<string, string>;
  readonly pulls: PullRequest[];
  /** Where the base branch is now. */
  baseNow: string;
  /** What becomes of a proposal on it: its tree, or `conflict` or `rewritten`. */
  rebase: string;
  template: { readonly path: string; readonly text: string } | null;
  /** Counts down at every append, command, push and pull request; the harness throws a `Crash` at zero. */
  fuse: number;
}

/** The worker died here. */
export class Crash extends Error {}

export const baseCommit = 'b'.repeat(40);
export const baseTree = 'base-tree';

export interface Harness {
  readonly world: World;
  readonly deps: StepDeps;
  readonly events: StoredEvent[];
  state(): RunState;
  /** A context as the next owner of the run would get it. */
  context(): RunContext;
}

/** A run in memory: a real log and fold, sandboxes that answer by script, a git and a forge of a few maps. */
export function stepHarness(options: {
  readonly blueprint: unknown;
  readonly limits?: Partial<RunLimits>;
  readonly propose?: boolean;
  /** What a person has to approve. */
  readonly gates?: PlannedGates;
  /** Default: `Greet the user`. */
  readonly task?: string;
  readonly world?: Partial<World>;
  /** For tests with several runs, or with a real repository. */
  readonly taskId?: string;
  readonly branch?: string;
  readonly base?: string;
}): Harness {
  const blueprint: Blueprint = blueprintSchema.parse(options.blueprint);
  const events: StoredEvent[] = [];
  const blobs = new Map<string, Buffer>();
  let nowMs = Date.parse('2026-01-02T03:04:05Z');
  const world: World = {
    tree: baseTree,
    respond: () => ({}),
    changed: [],
    agent: () => 'done',
    judge: '{"verdict":"ok","reasons":[]}',
    contents: new Map(),
    proposed: [{ path: 'src/a.ts', added: 1, removed: 1 }],
    findings: [],
    verifyTree: null,
    executed: [],
    branches: new Map(),
    kept: new Map(),
    pulls: [],
    baseNow: baseCommit,
    rebase: 'rebased-tree',
    template: null,
    fuse: Number.POSITIVE_INFINITY,
    ...options.world,
  };
  const burn = (): void => {
    world.fuse -= 1;
    if (world.fuse === 0) throw new Crash('crash');
  };
  const state = (): RunState => foldAll('r-1', events);
  const store = (...added: NewEvent[]): StoredEvent[] => {
    nowMs += 1_000;
    const stored = added.map((event, place): StoredEvent => ({
      ...event,
      runId: 'r-1',
      seq: events.length + 1 + place,
      at: new Date(nowMs).toISOString(),
    }));
    events.push(...stored);
    return stored;
  };
  // A crash comes before or after an append, never in the middle of one.
  const append = (...added: NewEvent[]): StoredEvent[] => {
    burn();
    const stored = store(...added);
    burn();
    return stored;
  };
  store(
    {
      type: 'run.created',
      data: {
        taskId: options.taskId ?? 't-1',
        projectId: 'p-1',
        repository: '/repo',
        title: options.task ?? 'Greet the user',
        text: options.task ?? 'Greet the user',
        branch: options.branch ?? 'berth/greet-the-user-1',
        attempt: 1,
        options: runOptionsSchema.parse({ propose: options.propose ?? true }),
      },
    },
    {
      type: 'run.planned',
      data: {
        base: { ref: 'main', commit: options.base ?? baseCommit },
        blueprint,
        source: { kind: 'detected', ecosystems: ['node'] },
        limits: { ...defaultRunLimits, ...options.limits },
        models: {},
        simulated: false,
        ...(options.gates === undefined ? {} : { gates: options.gates }),
      },
    },
  );
  const blobStore = {
    put: (data: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> => {
      const bytes = Buffer.from(data as Uint8Array);
      const key = `sha256-${createHash('sha256').update(bytes).digest('hex')}`;
      blobs.set(key, bytes);
      return Promise.resolve(key);
    },
    get: (key: string): Promise<Uint8Array> => Promise.resolve(blobs.get(key)!),
    async *stream(key: string): AsyncIterable<Uint8Array> {
      yield await Promise.resolve(blobs.get(key)!);
    },
  };
  const workbench = workbenchOf({ world, events, state, append, burn, blobs: blobStore });
  const signal = new AbortController().signal;
  const clock = {
    nowMs: (): number => nowMs,
    monotonicMs: (): number => nowMs,
    sleep: (): Promise<void> => Promise.resolve(),
  };
  const refuse = (): never => {
    throw new Error('not part of this harness');
  };
  return {
    world,
    events,
    state,
    deps: depsOf(world, burn),
    context: () => ({
      runId: 'r-1',
      clock,
      signal,
      events: {
        append: async (...added) => append(...added),
        live: () => undefined,
      },
      log: {
        state,
        events: async (filter) =>
          events.filter(
            (entry) => (filter?.types?.includes(entry.type) ?? true) && entry.seq > (filter?.afterSeq ?? 0),
          ),
      },
      blobs: blobStore,
      limits: { reserve: refuse, settle: refuse, forfeit: refuse, remaining: refuse },
      workbench,
    }),
  };
}

interface WorkbenchParts {
  readonly world: World;
  readonly events: readonly StoredEvent[];
  readonly state: () => RunState;
  readonly append: (...events: NewEvent[]) => StoredEvent[];
  readonly burn: () => void;
  readonly blobs: RunContext['blobs'];
}

function workbenchOf({ world, events, state, append, burn, blobs }: WorkbenchParts): Workbench {
  const egress = new Map<SandboxPurpose, number>();
  const sandboxOf = (purpose: SandboxPurpose): string => {
    const known = state().sandboxes[purpose];
    if (known !== null) return known.id;
    const id = `s-${purpose}-${events.filter((entry) => entry.type === 'sandbox.created').length + 1}`;
    const ref = { id, driver: 'fake', bootId: 'boot', address: id } as const;
    append({
      type: 'sandbox.created',
      data: { purpose, ref, commit: '0'.repeat(40), durationMs: 1, restoredFrom: null },
    });
    return id;
  };
  const answerOf = (purpose: SandboxPurpose, command: DurableCommand): Answer => {
    if (command.name === 'changed files')
      return { output: world.changed.map((path) => `${path}\0`).join('') };
    if (command.name === 'confirm the tree') {
      return { output: `${world.verifyTree ?? state().proposal?.tree ?? ''}\n` };
    }
    return world.respond(purpose, command, world);
  };
  const execute = async (purpose: SandboxPurpose, command: DurableCommand): Promise<void> => {
    for (;;) {
      const sandboxId = sandboxOf(purpose);
      if (state().commands[command.id]?.sandboxId !== sandboxId) {
        append({
          type: 'command.started',
          data: {
            id: command.id,
            sandboxId,
            step: command.step,
            purpose: command.purpose,
            name: command.name,
            command: command.command.run,
          },
        });
      }
      world.executed.push({
        purpose,
        sandboxId,
        id: command.id,
        run: command.command.run,
        args: command.args ?? [],
        egress: egress.get(purpose) ?? 0,
      });
      const answer = answerOf(purpose, command);
      if (answer.losesSandbox === true) {
        append({
          type: 'sandbox.lost',
          data: { purpose, id: sandboxId, code: 'SANDBOX_LOST', sentence: 'gone' },
        });
        continue;
      }
      const output = Buffer.from(answer.output ?? '');
      append({
        type: 'command.ended',
        data: {
          id: command.id,
          result: {
            exitCode: answer.timedOut === true ? null : (answer.exitCode ?? 0),
            signal: answer.timedOut === true ? 'SIGKILL' : null,
            timedOut: answer.timedOut ?? false,
            outOfMemory: false,
            truncated: false,
            lost: null,
            durationMs: 1_500,
          },
          output: output.byteLength === 0 ? null : await blobs.put(output),
          outputBytes: output.byteLength,
          tail: output.toString('utf8').slice(-4_096),
        },
      });
      return;
    }
  };
  return {
    repositoryPath: '/workspace/repo',
    sandbox: async (purpose) => ({ ref: { id: sandboxOf(purpose) } }) as unknown as Sandbox,
    command: async (purpose, command): Promise<CommandOutcome> => {
      burn();
      if ((state().commands[command.id]?.end ?? null) === null) await execute(purpose, command);
      return { id: command.id, ...state().commands[command.id]!.end! };
    },
    setEgress: async (purpose, policy) => {
      egress.set(purpose, policy.rules.length);
    },
    duringAgent: (work) => work(),
    checkpointSoon: () => undefined,
    checkpoint: async () => {
      const { tree } = world;
      append({
        type: 'checkpoint.saved',
        data: {
          id: tree,
          tree,
          proposalTree: tree,
          blob: `pack-${tree}`,
          bytes: 1,
          files: 1,
          added: 1,
          removed: 1,
        },
      });
      return { tree, proposalTree: tree };
    },
    release: async (purpose) => {
      const known = state().sandboxes[purpose];
      if (known !== null) append({ type: 'sandbox.destroyed', data: { purpose, id: known.id } });
    },
  };
}

function depsOf(world: World, burn: () => void): StepDeps {
  return {
    proposals: {
      treeOf: async (commit) => (commit === baseCommit ? baseTree : commit.replace(/^commit-/, '')),
      importProposal: async ({ tree }) => ({
        commit: `commit-${tree}`,
        tree,
        files: 1,
        added: 1,
        removed: 1,
        findings: world.findings,
      }),
      branchNow: async () => world.baseNow,
      rebase: async () => {
        burn();
        if (world.rebase === 'conflict') return { kind: 'conflict', paths: ['src/a.ts'] };
        if (world.rebase === 'rewritten') return { kind: 'rewritten' };
        const tree = world.rebase;
        const made = { commit: `commit-${tree}`, tree, files: 1, added: 1, removed: 1, findings: [] };
        return { kind: 'rebased', made };
      },
      template: async () => world.template,
      diff: async () => ({ text: 'diff --git a/src/a.ts b/src/a.ts', truncated: false }),
      changedFiles: async () => world.proposed,
      readFileAt: async (commit, path) => world.contents.get(`${commit}:${path}`) ?? null,
      push: async ({ commit, branch, expected }) => {
        burn();
        const at = world.branches.get(branch) ?? null;
        if (at !== expected && at !== commit) throw new BerthError('CONFLICT');
        world.branches.set(branch, commit);
        burn();
      },
      keep: async ({ commit, branch }) => {
        world.kept.set(branch, commit);
      },
    },
    prefetch: { gather: async () => [] },
    agent: {
      run: async (_ctx, { stepKey, opening }) => ({
        result: world.agent(
          {
            round: Number(stepKey.split('#')[1] ?? 0),
            repair: opening.kind === 'repair' ? opening.text : null,
          },
          world,
        ),
        code: null,
        summary: 'All tests pass, I promise.',
      }),
    },
    judge: { ask: async () => world.judge },
    forge: forgeOf(world, burn),
    offer: { runUrl: null, labels: [], reviewers: [] },
  };
}
