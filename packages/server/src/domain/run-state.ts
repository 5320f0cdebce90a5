import { type EgressMoved, nothingMoved } from './egress-account.ts';
import type { Blueprint, BlueprintSource } from './blueprint.ts';
import type { CommandResult, EventData, StoredEvent } from './events/index.ts';
import type { GateRecord, PlannedGates } from './gates.ts';
import type { RunLimits } from './limits.ts';
import type { SandboxRef } from './ports/sandbox.ts';
import type { SandboxPurpose } from './purpose.ts';
import type { Outcome } from './status.ts';

export interface StepRecord {
  readonly key: string;
  readonly kind: string;
  readonly round: number;
  readonly state: 'running' | 'passed' | 'failed' | 'skipped' | 'interrupted';
  readonly code: string | null;
  readonly sentence: string;
  readonly startedAt: string;
  readonly durationMs: number | null;
  readonly costUsd: number;
}

export interface CommandRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly step: string;
  /** Null while it runs. */
  readonly end: {
    readonly result: CommandResult;
    readonly output: string | null;
    readonly outputBytes: number;
    readonly tail: string;
  } | null;
}

export type CheckVerdict = EventData<'check.judged'>;
export type Checkpoint = EventData<'checkpoint.saved'>;

/**
 * A run, folded from its log. It holds what decisions need and what lists show; the conversation with the model
 * is folded apart (`agent/conversation`), so that a waiting run stays small.
 */
export interface RunState {
  readonly runId: string;
  readonly seq: number;
  readonly created: EventData<'run.created'> | null;
  readonly createdAt: string | null;
  readonly lastEventAt: string | null;
  readonly plan: {
    readonly base: { readonly ref: string; readonly commit: string };
    readonly blueprint: Blueprint;
    readonly source: BlueprintSource;
    readonly limits: RunLimits;
    readonly models: Readonly<Record<string, readonly string[]>>;
    readonly simulated: boolean;
    readonly gates?: PlannedGates | undefined;
  } | null;
  /** The gate that the run waits at now; it has no owner then and nothing happens. */
  readonly gate: GateRecord | null;
  /** Every gate it came to, the open one included. */
  readonly gates: readonly GateRecord[];
  readonly paused: { readonly by: string; readonly reason: string; readonly at: string } | null;
  readonly cancelRequestedBy: string | null;
  readonly ended: {
    readonly outcome: Outcome;
    readonly code: string | null;
    readonly sentence: string;
    readonly next: string | null;
    readonly at: string;
  } | null;
  readonly steps: readonly StepRecord[];
  readonly commands: Readonly<Record<string, CommandRecord>>;
  readonly sandboxes: Readonly<Record<SandboxPurpose, (SandboxRef & { readonly commit: string }) | null>>;
  /** What its sandboxes were given up to now; names, never values. */
  readonly secrets: {
    readonly exposed: readonly string[];
    readonly brokered: EventData<'secrets.given'>['brokered'];
  };
  /**
   * By sandbox, the key of the snapshot that stands for what setup makes, and of one whose restoring has begun; and keys
   * that could not be restored.
   */
  readonly snapshots: {
    readonly begun: Readonly<Record<string, string>>;
    readonly restored: Readonly<Record<string, string>>;
    readonly failed: readonly string[];
  };
  /** What its sandboxes moved, as it was recorded last. */
  readonly egressMoved: EgressMoved;
  readonly checkpoint: Checkpoint | null;
  readonly checks: readonly CheckVerdict[];
  readonly agentFinish: EventData<'agent.finished'> | null;
  readonly proposal: EventData<'proposal.made'> | null;
  readonly pushed: EventData<'proposal.pushed'> | null;
  readonly pullRequest: EventData<'proposal.opened'> | null;
  readonly use: {
    readonly costUsd: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly cachedTokens: number;
    readonly modelCalls: number;
    /** Time in which the run was neither paused nor without an owner, up to the last event. */
    readonly activeMs: number;
  };
  /** Model and tool calls recorded as begun and not as ended. */
  readonly open: readonly {
    readonly kind: 'model' | 'tool';
    readonly id: string;
    readonly title: string;
    readonly at: string;
  }[];
}

export function emptyRunState(runId: string): RunState {
  return {
    runId,
    seq: 0,
    created: null,
    createdAt: null,
    lastEventAt: null,
    plan: null,
    gate: null,
    gates: [],
    paused: null,
    cancelRequestedBy: null,
    ended: null,
    steps: [],
    commands: {},
    sandboxes: { work: null, verify: null, baseline: null },
    secrets: { exposed: [], brokered: [] },
    snapshots: { begun: {}, restored: {}, failed: [] },
    egressMoved: nothingMoved,
    checkpoint: null,
    checks: [],
    agentFinish: null,
    proposal: null,
    pushed: null,
    pullRequest: null,
    use: { costUsd: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, modelCalls: 0, activeMs: 0 },
    open: [],
  };
}

/** One more entry. Pure; the whole state of a run is this over its log. */
export function fold(state: RunState, entry: StoredEvent): RunState {
  const next = applyOne({ ...state, use: timed(state, entry) }, entry);
  return { ...next, seq: entry.seq, lastEventAt: entry.at };
}

export function foldAll(runId: string, entries: Iterable<StoredEvent>): RunState {
  let state = emptyRunState(runId);
  for (const entry of entries) state = fold(state, entry);
  return state;
}

/** Counts the time since the last entry, except across a pause or a change of owner. A clock that jumps counts zero. */
function timed(state: RunState, entry: StoredEvent): RunState['use'] {
  const idle =
    state.paused !== null ||
    state.gate !== null ||
    entry.type === 'run.owned' ||
    entry.type === 'run.resumed' ||
    state.lastEventAt === null;
  const elapsedMs = idle ? 0 : Date.parse(entry.at) - Date.parse(state.lastEventAt);
  return { ...state.use, activeMs: state.use.activeMs + Math.min(Math.max(elapsedMs, 0), 3_600_000) };
}

function applyOne(state: RunState, entry: StoredEvent): RunState {
  switch (entry.type) {
    case 'run.created':
      return { ...state, created: entry.data, createdAt: entry.at };
    case 'run.planned':
      return { ...state, plan: entry.data };
    case 'run.paused':
      return { ...state, paused: { by: entry.data.by, reason: entry.data.reason, at: entry.at } };
    case 'run.resumed':
      return {
        ...state,
        paused: null,
        ended: null,
        cancelRequestedBy: null,
        steps: state.ended === null ? state.steps : reopened(state.steps),
        agentFinish: state.ended === null ? state.agentFinish : null,
        gates: state.ended === null ? state.gates : askedAnew(state.gates),
        plan:
          state.plan === null
            ? null
            : { ...state.plan, limits: { ...state.plan.limits, ...withoutUndefined(entry.data.limits) } },
      };
    case 'run.cancel-requested':
      // A paused run has to move once more to end.
      return { ...state, cancelRequestedBy: entry.data.by, paused: null, gate: null };
    case 'run.ended':
      return { ...state, ended: { ...entry.data, at: entry.at }, open: [], gate: null };
    case 'gate.opened': {
      const gate = openedGate(entry.data, entry.at);
      return { ...state, gate, gates: [...state.gates.filter((other) => other.id !== gate.id), gate] };
    }
    case 'gate.decided':
      return state.gate?.id === entry.data.gateId
        ? decidedGate(state, state.gate, entry.data, entry.at)
        : state;
    case 'step.started':
      return {
        ...state,
        steps: [
          ...state.steps.filter((step) => step.key !== entry.data.key),
          {
            ...entry.data,
            state: 'running',
            code: null,
            sentence: '',
            startedAt: entry.at,
            durationMs: null,
            costUsd: 0,
          },
        ],
      };
    case 'step.ended': {
      const { key, outcome, code, sentence, durationMs } = entry.data;
      return {
        ...state,
        steps: state.steps.map((step) =>
          step.key === key ? { ...step, state: outcome, code, sentence, durationMs } : step,
        ),
      };
    }
    case 'command.started': {
      const { id, sandboxId, step } = entry.data;
      return { ...state, commands: { ...state.commands, [id]: { id, sandboxId, step, end: null } } };
    }
    case 'command.ended': {
      const { id, result, output, outputBytes, tail } = entry.data;
      const command = state.commands[id];
      if (command === undefined) return state;
      return {
        ...state,
        commands: { ...state.commands, [id]: { ...command, end: { result, output, outputBytes, tail } } },
      };
    }
    case 'sandbox.created':
      return {
        ...state,
        sandboxes: {
          ...state.sandboxes,
          [entry.data.purpose]: { ...entry.data.ref, commit: entry.data.commit },
        },
      };
    case 'secrets.given':
      return { ...state, secrets: withGiven(state.secrets, entry.data) };
    case 'sandbox.lost':
    case 'sandbox.destroyed':
      if (state.sandboxes[entry.data.purpose]?.id !== entry.data.id) return state;
      return { ...state, sandboxes: { ...state.sandboxes, [entry.data.purpose]: null } };
    case 'snapshot.begun': {
      const { sandboxId, key } = entry.data;
      const begun = { ...state.snapshots.begun, [sandboxId]: key };
      return { ...state, snapshots: { ...state.snapshots, begun } };
    }
    case 'snapshot.restored': {
      const { sandboxId, key } = entry.data;
      const restored = { ...state.snapshots.restored, [sandboxId]: key };
      return { ...state, snapshots: { ...state.snapshots, restored } };
    }
    case 'snapshot.failed':
      if (entry.data.doing === 'make') return state;
      return {
        ...state,
        snapshots: { ...state.snapshots, failed: [...state.snapshots.failed, entry.data.key] },
      };
    case 'check.judged':
      return { ...state, checks: [...state.checks, entry.data] };
    case 'checkpoint.saved':
      return { ...state, checkpoint: entry.data };
    case 'proposal.made':
      return { ...state, proposal: entry.data, pushed: null };
    case 'proposal.pushed':
      return { ...state, pushed: entry.data };
    case 'proposal.opened':
      return { ...state, pullRequest: entry.data };
    case 'agent.briefed':
      return { ...state, agentFinish: null };
    case 'agent.finished':
      return { ...state, agentFinish: entry.data };
    case 'model.requested':
      return opened(state, { kind: 'model', id: entry.data.callId, title: entry.data.model, at: entry.at });
    case 'model.answered':
      return spent(closed(state, entry.data.callId), entry.data);
    case 'model.failed':
      return closed(state, entry.data.callId);
    case 'tool.started':
      return opened(state, { kind: 'tool', id: entry.data.id, title: entry.data.name, at: entry.at });
    case 'tool.ended':
      return closed(state, entry.data.id);
    case 'egress.moved':
      return { ...state, egressMoved: entry.data };
    case 'run.owned':
    case 'run.recovered':
    case 'message.received':
    case 'limit.warned':
    case 'context.prefetched':
    case 'egress.decided':
    case 'snapshot.made':
    case 'snapshot.skipped':
    case 'sandbox.noticed':
    case 'terminal.opened':
    case 'terminal.typed':
    case 'terminal.closed':
    case 'agent.told':
    case 'agent.condensed':
    case 'model.retried':
    case 'tool.planned':
    case 'judge.decided':
    case 'proposal.base-moved':
      return state;
  }
}

/** What was given once stays so: a sandbox that is gone may have passed it on. */
function withGiven(
  { exposed, brokered }: RunState['secrets'],
  given: EventData<'secrets.given'>,
): RunState['secrets'] {
  const others = brokered.filter(({ name }) => !given.brokered.some((one) => one.name === name));
  return {
    exposed: [...new Set([...exposed, ...given.exposed])],
    brokered: [...others, ...given.brokered],
  };
}

function openedGate({ gateId, ...data }: EventData<'gate.opened'>, at: string): GateRecord {
  return { id: gateId, ...data, openedAt: at, decision: null, isSetAside: false };
}

function decidedGate(
  state: RunState,
  gate: GateRecord,
  { verdict, by, comment, requestId }: EventData<'gate.decided'>,
  at: string,
): RunState {
  const decided: GateRecord = { ...gate, decision: { verdict, by, comment, requestId, at } };
  return {
    ...state,
    gate: null,
    gates: state.gates.map((other) => (other.id === gate.id ? decided : other)),
  };
}

/** What was approved stays so; what ended the run is asked once more. */
function askedAnew(gates: readonly GateRecord[]): GateRecord[] {
  return gates.map((gate) => (gate.decision?.verdict === 'approved' ? gate : { ...gate, isSetAside: true }));
}

/** A run that goes on after its end does everything again from the first step that did not pass. */
function reopened(steps: readonly StepRecord[]): StepRecord[] {
  const first = steps.findIndex((step) => step.state !== 'passed' && step.state !== 'skipped');
  return first === -1 ? [...steps] : steps.slice(0, first);
}

function opened(state: RunState, call: RunState['open'][number]): RunState {
  return { ...state, open: [...state.open.filter((other) => other.id !== call.id), call] };
}

function closed(state: RunState, id: string): RunState {
  return { ...state, open: state.open.filter((call) => call.id !== id) };
}

function spent(state: RunState, answer: EventData<'model.answered'>): RunState {
  const { use } = state;
  return {
    ...state,
    steps: state.steps.map((step) =>
      step.key === answer.step ? { ...step, costUsd: step.costUsd + answer.costUsd } : step,
    ),
    use: {
      ...use,
      costUsd: use.costUsd + answer.costUsd,
      inputTokens: use.inputTokens + answer.usage.inputTokens,
      outputTokens: use.outputTokens + answer.usage.outputTokens,
      cachedTokens: use.cachedTokens + answer.usage.cachedInputTokens,
      modelCalls: use.modelCalls + 1,
    },
  };
}

function withoutUndefined<T extends object>(value: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
