import type { StepKind } from '../domain/blueprint.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import { isErrorCode } from '../domain/errors/index.ts';
import { isWaived } from './gates.ts';
import type { CheckVerdict, RunState, StepRecord } from '../domain/run-state.ts';

/** Why a change cannot be offered as ready. */
export interface Objection {
  readonly code: ErrorCode;
  readonly sentence: string;
}

export type Readiness = { readonly ready: true } | ({ readonly ready: false } & Objection);

/** The last visit of a kind of step. */
export function lastStep(state: RunState, kind: StepKind): StepRecord | undefined {
  return state.steps.findLast((step) => step.kind === kind);
}

/** What the checks of the last verification said, in its order; empty when there was none. */
export function verifyVerdicts(state: RunState): readonly CheckVerdict[] {
  const verify = lastStep(state, 'verify');
  if (verify === undefined) return [];
  return latestByName(state.checks.filter((check) => check.step === verify.key));
}

/** The last verdict for each name: a check that was judged again replaces what was said before. */
export function latestByName(checks: readonly CheckVerdict[]): readonly CheckVerdict[] {
  return [...new Map(checks.map((check) => [check.name, check])).values()];
}

/**
 * Whether the proposal may be offered as ready: `verify` came last, passed, and judged every check of the
 * blueprint on exactly the tree that is proposed. Nothing the agent says or does in its own sandbox is looked at.
 */
export function readinessOf(state: RunState): Readiness {
  const objection = objectionTo(state);
  return objection === null ? { ready: true } : { ready: false, ...objection };
}

function objectionTo(state: RunState): Objection | null {
  const { plan, proposal } = state;
  const verify = lastStep(state, 'verify');
  const unfinished = unfinishedWork(state);
  if (unfinished !== null) return unfinished;
  const worked = state.steps.findLast((step) => step.kind === 'agent' || step.kind === 'check');
  const verifiedAt = verify === undefined ? -1 : state.steps.indexOf(verify);
  if (worked !== undefined && state.steps.indexOf(worked) > verifiedAt) {
    return worked.kind === 'check' && worked.state === 'failed'
      ? { code: codeOf(worked, 'CHECKS_FAILED'), sentence: worked.sentence }
      : notVerified(
          verify === undefined ? 'It was not verified' : 'Work went on after the last verification',
        );
  }
  if (plan === null || proposal === null || verify === undefined) return notVerified('It was not verified');
  if (verify.state !== 'passed') {
    return verify.state === 'failed'
      ? { code: codeOf(verify, 'VERIFY_FAILED'), sentence: verify.sentence }
      : notVerified('The verification did not end');
  }
  const verdicts = verifyVerdicts(state);
  for (const check of plan.blueprint.checks) {
    const verdict = verdicts.find((one) => one.name === check.name);
    if (verdict === undefined) return notVerified(`Check ${check.name} was not run on it`);
    if (verdict.verdict === 'failed') return { code: 'VERIFY_FAILED', sentence: `${check.name} fails` };
    if (verdict.tree !== proposal.tree) {
      return {
        code: 'VERIFY_TREE_MISMATCH',
        sentence: `${check.name} ran on another tree than the proposed one`,
      };
    }
  }
  if (plan.blueprint.checks.length === 0) {
    return { code: 'NO_CHECKS', sentence: 'No checks are known for this repository; nothing was verified' };
  }
  const judge = judgeObjection(state);
  return judge === null || isWaived(state, proposal, judge) ? null : judge;
}

/** What the judge has against the change; null: nothing. */
export function judgeObjection(state: RunState): Objection | null {
  const judge = lastStep(state, 'judge');
  if (judge?.state !== 'failed') return null;
  return { code: codeOf(judge, 'JUDGE_OBJECTED'), sentence: judge.sentence };
}

/** An agent that gave up, got stuck or reached a limit: whatever came of it is not a finished change. */
function unfinishedWork(state: RunState): Objection | null {
  const agent = lastStep(state, 'agent');
  if (agent?.state === 'failed') return { code: codeOf(agent, 'WORK_UNFINISHED'), sentence: agent.sentence };
  const limited = state.steps.findLast((step) => step.state === 'failed' && isLimit(step.code));
  return limited === undefined
    ? null
    : { code: codeOf(limited, 'WORK_UNFINISHED'), sentence: limited.sentence };
}

function notVerified(sentence: string): Objection {
  return { code: 'NOT_VERIFIED', sentence };
}

export function isLimit(code: string | null): boolean {
  return code?.startsWith('LIMIT_') ?? false;
}

/** The step's own code when the registry knows it. */
export function codeOf(step: StepRecord, otherwise: ErrorCode): ErrorCode {
  return step.code !== null && isErrorCode(step.code) ? step.code : otherwise;
}
