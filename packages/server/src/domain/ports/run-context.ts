import type { Command } from '../blueprint.ts';
import type { CommandResult, EventType, StoredEvent } from '../events/index.ts';
import type { EgressPolicy } from '../egress.ts';
import type { RunLimits, RunUse } from '../limits.ts';
import type { RunState } from '../run-state.ts';
import type { Blobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import type { EventSink } from './event-sink.ts';
import type { ModelUsage } from './model.ts';
import type { SandboxPurpose } from '../purpose.ts';
import type { Redactor } from './redaction.ts';
import type { Sandbox } from './sandbox.ts';

/** Reading the run's own log. */
export interface RunLog {
  /** The fold of everything appended so far. */
  state(): RunState;
  /** Entries in order, optionally of some types only or after a `seq`. */
  events(filter?: { afterSeq?: number; types?: readonly EventType[] }): Promise<readonly StoredEvent[]>;
}

/** How a reserved call ended. */
export interface CallSettlement {
  readonly callId: string;
  readonly costUsd: number;
  readonly tokens: number;
  /** Of a call whose answer is in the log; left out: nothing was answered. */
  readonly answer?: { readonly model: string; readonly usage: ModelUsage };
}

/** Money, tokens and calls, reserved before they are spent. One gate belongs to one run. */
export interface LimitsGate {
  /**
   * Reserves the upper bound of one model call in one statement, in the run and in every budget that applies.
   * @throws BerthError `LIMIT_COST`, `LIMIT_TOKENS`, `LIMIT_STEPS`, `LIMIT_BUDGET_COST`, `LIMIT_BUDGET_TOKENS`,
   * `DATABASE_UNAVAILABLE`: do not call the model
   */
  reserve(request: { callId: string; costUsd: number; tokens: number; model?: string }): Promise<void>;
  /** Replaces the reservation by what was really used. Idempotent by call id. */
  settle(request: CallSettlement): Promise<void>;
  /** Settles at the full reservation: the call may have been billed, but its answer was never seen. */
  forfeit(callId: string): Promise<void>;
  remaining(): Promise<{
    readonly caps: RunLimits;
    readonly used: RunUse;
    readonly reservedUsd: number;
    /** What the narrowest budget leaves to all its runs together; null or left out: there is none. */
    readonly budgets?: { readonly leftUsd: number | null; readonly leftTokens: number | null };
  }>;
}

export interface CommandOutcome {
  readonly id: string;
  readonly result: CommandResult;
  /** Blob of the whole output, or null when there was none. */
  readonly output: string | null;
  readonly outputBytes: number;
  readonly tail: string;
}

export interface DurableCommand {
  /**
   * Unique within the run and the same after a restart, e.g. `2:check#1/lint`. When the log already holds its
   * end, that is the answer; when it holds its start, the sandbox is asked to attach.
   */
  readonly id: string;
  readonly step: string;
  readonly purpose: 'setup' | 'format' | 'lint' | 'test' | 'build' | 'fix' | 'baseline' | 'other';
  readonly name: string;
  readonly command: Command;
  /** Positional arguments of the script (`"$@"`). */
  readonly args?: readonly string[];
}

/** Snapshots of `setup` for one run's sandboxes. Neither throws but for the run's own end. */
export interface SetupSnapshots {
  /**
   * Restores the one that fits the live sandbox of that purpose. `none`: there is none; `key` is what one made of this
   * sandbox is to be called, or null. `failed`: part of it may lie in the sandbox, which has to be replaced.
   */
  restore(
    purpose: SandboxPurpose,
  ): Promise<
    | { readonly kind: 'restored' }
    | { readonly kind: 'none'; readonly key: string | null }
    | { readonly kind: 'failed' }
  >;
  /** Makes one of a work sandbox whose setup has just passed, where it may be trusted. */
  make(sandboxId: string, key: string): Promise<void>;
}

/** The run's sandboxes and what is done in them so that it survives a crash. */
export interface Workbench {
  /** The repository's directory in the sandbox: `/workspace/repo`. */
  readonly repositoryPath: string;
  /**
   * The live sandbox of that purpose: attached again after a crash, or a new one filled with the repository and
   * the last checkpoint. `verify` is always filled from the proposed tree alone.
   */
  sandbox(purpose: SandboxPurpose): Promise<Sandbox>;
  /** Runs one deterministic command durably; runs it anew (with a new attempt) when its sandbox was lost. */
  command(purpose: SandboxPurpose, command: DurableCommand): Promise<CommandOutcome>;
  setEgress(purpose: SandboxPurpose, policy: EgressPolicy): Promise<void>;
  /** Runs the agent's work with the way out that the configuration gives to it, and takes that back afterwards. */
  duringAgent<T>(work: () => Promise<T>): Promise<T>;
  /** Asks for a checkpoint soon; requests are coalesced and never wait. */
  checkpointSoon(): void;
  /** Saves the working tree now and answers once it is durable. */
  checkpoint(): Promise<{ readonly tree: string; readonly proposalTree: string }>;
  /** Absent: setup runs in every sandbox. */
  readonly snapshots?: SetupSnapshots;
  /** Ends a sandbox that is no longer needed. */
  release(purpose: SandboxPurpose): Promise<void>;
}

/** What every step gets. */
export interface RunContext {
  readonly runId: string;
  readonly clock: Clock;
  /** Aborted with a `BerthError` on pause, cancel, time limit, loss of ownership or shutdown: just let it through. */
  readonly signal: AbortSignal;
  readonly events: EventSink;
  readonly log: RunLog;
  readonly blobs: Blobs;
  /** Output passes it before it is stored or shown; left out: there is nothing to hide. */
  readonly redaction?: Redactor;
  readonly limits: LimitsGate;
  readonly workbench: Workbench;
}
