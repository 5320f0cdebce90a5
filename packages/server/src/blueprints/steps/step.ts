import type { ErrorCode } from '../../domain/errors/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { EventData } from '../../domain/events/index.ts';
import type { Forge } from '../../domain/ports/forge.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import type { ProposalPolicyConfig } from '../../domain/proposal-policy.ts';
import type { RunState } from '../../domain/run-state.ts';
import type { Visit } from '../walker.ts';

/** What a step came to, for its `step.ended`. */
export interface StepOutcome {
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly code: ErrorCode | null;
  readonly sentence: string;
}

/** The step opened a gate: it is entered again once that is decided. */
export interface Waits {
  readonly outcome: 'waits';
}

/**
 * One kind of step. It may be entered again after a crash at any line: what it did is found in the log (durable
 * commands by their ids, proposals and verdicts by their events), and is not done twice.
 */
export type StepFunction = (ctx: RunContext, deps: StepDeps, visit: Visit) => Promise<StepOutcome | Waits>;

/** One changed file of a proposal. */
export interface ChangedFile {
  readonly path: string;
  /** Null for binary files. */
  readonly added: number | null;
  readonly removed: number | null;
}

/** What policy found in a proposal. `refuse`: it is not pushed. `person`: only as a draft that a person looks at. */
export type PolicyFinding = NonNullable<EventData<'proposal.made'>['findings']>[number];

export interface MadeProposal {
  readonly commit: string;
  readonly tree: string;
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  readonly findings: readonly PolicyFinding[];
}

/** What steps need from git, outside of every sandbox. */
export interface ProposalStore {
  /** The tree of a commit of the project. */
  treeOf(commit: string, signal: AbortSignal): Promise<string>;
  /**
   * Takes a checkpoint out of the sandbox's pack and makes the proposal's commit from it, pinned to `base`. The
   * same request makes the same commit.
   * @throws BerthError with a `PROPOSAL_*` code when the change is not acceptable at all
   */
  importProposal(request: {
    readonly base: string;
    /** Blob of the checkpoint's pack. */
    readonly blob: string;
    readonly tree: string;
    readonly taskId: string;
    readonly runId: string;
    /** First line of the commit's message. */
    readonly title: string;
    /** Time of the commit: the same whenever the request is repeated. */
    readonly atMs: number;
    readonly protectedPaths: readonly string[];
    /** The blueprint's; counts where it is stricter than the configuration. */
    readonly policy: ProposalPolicyConfig | undefined;
    readonly signal: AbortSignal;
  }): Promise<MadeProposal>;
  /** Where a branch of the code host is now; null: it is no branch, or there is none of that name. */
  branchNow(ref: string, signal: AbortSignal): Promise<string | null>;
  /** Puts a proposal onto another base. The same request makes the same commit. */
  rebase(request: {
    readonly commit: string;
    readonly from: string;
    readonly onto: string;
    readonly taskId: string;
    readonly runId: string;
    readonly title: string;
    readonly atMs: number;
    readonly protectedPaths: readonly string[];
    readonly policy: ProposalPolicyConfig | undefined;
    readonly signal: AbortSignal;
  }): Promise<
    | { readonly kind: 'rebased'; readonly made: MadeProposal }
    | { readonly kind: 'conflict'; readonly paths: readonly string[] }
    | { readonly kind: 'rewritten' | 'there' }
  >;
  /** The repository's own template for pull requests, as it stands at a commit; hostile text. */
  template(
    commit: string,
    signal: AbortSignal,
  ): Promise<{ readonly path: string; readonly text: string } | null>;
  /** The difference as text, cut at `maxBytes`. */
  diff(request: {
    readonly base: string;
    readonly commit: string;
    readonly maxBytes: number;
    readonly signal: AbortSignal;
  }): Promise<{ readonly text: string; readonly truncated: boolean }>;
  changedFiles(request: {
    readonly base: string;
    readonly commit: string;
    readonly signal: AbortSignal;
  }): Promise<readonly ChangedFile[]>;
  /** A text file of a commit; null when there is none. */
  readFileAt(commit: string, path: string, signal: AbortSignal): Promise<string | null>;
  /**
   * Pushes the commit to the task's branch as compare-and-swap.
   * @param request.expected commit the branch has to point at now; null: the branch must not exist. A branch that
   *   already points at `commit` is fine.
   */
  push(request: {
    readonly commit: string;
    readonly branch: string;
    readonly expected: string | null;
    readonly signal: AbortSignal;
  }): Promise<void>;
  /** Keeps the commit under the branch's name in Berth's own copy, where `berth diff` finds it. */
  keep(request: {
    readonly commit: string;
    readonly branch: string;
    readonly signal: AbortSignal;
  }): Promise<void>;
}

/** What an agent step needs from the engine that drives it. */
export interface AgentRunner {
  /** Works until the agent finishes or is ended. Safe to call again after a crash: it goes on where the log ends. */
  run(
    ctx: RunContext,
    request: {
      /** Key of the step's visit. */
      readonly stepKey: string;
      readonly opening:
        | {
            readonly kind: 'task';
            readonly brief: {
              readonly task: string;
              /** The blueprint's own words for this step. */
              readonly instructions?: string;
              readonly items: readonly PrefetchItem[];
              readonly map?: string;
            };
          }
        | {
            readonly kind: 'repair';
            /** The failing part of what failed; hostile text. */
            readonly text: string;
          };
    },
  ): Promise<{
    readonly result: EventData<'agent.finished'>['result'];
    readonly code: string | null;
    readonly summary: string;
  }>;
}

/** One question to the `judge` slot, answered with text. Reserves and records its own call. */
export interface JudgeModel {
  /** @throws BerthError `JUDGE_BUDGET` when the answer could cost more than the judge of this run may */
  ask(
    ctx: RunContext,
    request: {
      readonly callId: string;
      readonly step: string;
      readonly system: string;
      readonly text: string;
      readonly maxOutputTokens: number;
    },
  ): Promise<string>;
}

export type PrefetchItem = EventData<'context.prefetched'>['items'][number];

export interface PrefetchSource {
  gather(ctx: RunContext): Promise<readonly PrefetchItem[]>;
}

/** What the steps need from other rooms; `main.ts` puts it together. */
export interface StepDeps {
  readonly proposals: ProposalStore;
  readonly prefetch: PrefetchSource;
  /** Null when the blueprint needs none. */
  readonly agent: AgentRunner | null;
  readonly judge: JudgeModel | null;
  readonly forge: Forge | null;
  readonly offer: OfferSettings;
}

/** How pull requests are offered, by the configuration. */
export interface OfferSettings {
  /** The page of this run; null: the installation has no address for people. */
  readonly runUrl: string | null;
  readonly labels: readonly string[];
  readonly reviewers: readonly string[];
}

export type Plan = NonNullable<RunState['plan']>;
export type Created = NonNullable<RunState['created']>;

/** The plan and the creation of a run that is being walked: both always exist then. */
export function planned(ctx: RunContext): {
  readonly state: RunState;
  readonly plan: Plan;
  readonly created: Created;
} {
  const state = ctx.log.state();
  if (state.plan === null || state.created === null) {
    throw new BerthError('INTERNAL', 'A step was entered before the run was planned');
  }
  return { state, plan: state.plan, created: state.created };
}

export const passed = (sentence: string, code: ErrorCode | null = null): StepOutcome => ({
  outcome: 'passed',
  code,
  sentence,
});
export const failed = (code: ErrorCode, sentence: string): StepOutcome => ({
  outcome: 'failed',
  code,
  sentence,
});
export const skipped = (sentence: string, code: ErrorCode | null = null): StepOutcome => ({
  outcome: 'skipped',
  code,
  sentence,
});

/**
 * How often a step's visit was already settled. A run that is resumed after its end enters a visit again, and then
 * its commands have to run anew instead of answering from the log. A visit that was only interrupted goes on.
 */
export async function attemptOf(ctx: RunContext, visit: Visit): Promise<number> {
  const ends = await ctx.log.events({ types: ['step.ended'] });
  return ends.filter(
    (entry) =>
      entry.type === 'step.ended' && entry.data.key === visit.key && entry.data.outcome !== 'interrupted',
  ).length;
}

/** `key`, with the attempt when it is not the first: part of command ids. */
export function attemptKey(visit: Visit, attempt: number): string {
  return attempt === 0 ? visit.key : `${visit.key}@${attempt + 1}`;
}
