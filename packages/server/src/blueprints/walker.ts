import { needsModel, type Blueprint, type Step } from '../domain/blueprint.ts';
import { errorRegistry, type ErrorCode } from '../domain/errors/index.ts';
import type { RunState, StepRecord } from '../domain/run-state.ts';
import type { Outcome } from '../domain/status.ts';
import { startGate, waiversOf, type GateAnswer, type GateEnd } from './gates.ts';
import { codeOf, isLimit, lastStep, readinessOf, verifyVerdicts } from './readiness.ts';

/** One visit of a step: the same after a restart. */
export interface Visit {
  /**
   * `<index>:<kind>` for the first visit of a step, `<index>:<kind>#<round>` when a repair round visits it again; with
   * `+<n>` after the proposal was put onto a new base.
   */
  readonly key: string;
  readonly index: number;
  readonly step: Step;
  /** The repair round; 0 outside of one and for steps that are visited for the first time. */
  readonly round: number;
  /** True for an agent step that is to mend what failed. */
  readonly repair: boolean;
  /** How often the proposal was put onto a base that had moved. */
  readonly rebases: number;
}

/** How often a run follows a base that moves: then the change is offered on the last one it was verified on. */
export const maxRebases = 2;

export interface RunEnd {
  readonly outcome: Outcome;
  readonly code: ErrorCode | null;
  readonly sentence: string;
  readonly next: string | null;
}

export type Decision =
  | ({ readonly kind: 'step' } & Visit)
  | ({ readonly kind: 'end' } & RunEnd)
  /** A gate has to be opened before anything else. */
  | { readonly kind: 'gate'; readonly ask: Extract<GateAnswer, { kind: 'ask' }> }
  /** A gate is open: nothing happens until it is decided. */
  | { readonly kind: 'wait' };

/**
 * What comes next in a planned run, from its state alone. It walks the blueprint along the record of what was
 * done: the first step without a settled record is next. Repair rounds are held here and nowhere else: each
 * visit after a failure raises the round, and no round is begun past `limits.rounds`.
 * @throws Error when the run has no plan yet
 */
export function decide(state: RunState): Decision {
  const { plan } = state;
  if (plan === null) throw new Error('a run without a plan has no next step');
  if (state.cancelRequestedBy !== null) {
    return end('cancelled', 'RUN_CANCELLED', `Cancelled by ${state.cancelRequestedBy}`);
  }
  if (state.gate !== null) return { kind: 'wait' };
  const start = startGate(state);
  if (start.kind === 'ask') return { kind: 'gate', ask: start };
  if (start.kind === 'closed') return gateEnd(start.end);
  const { blueprint, limits } = plan;
  const records = new Map(state.steps.map((step) => [step.key, step]));
  const visited = new Set<number>();
  let round = 0;
  let index = 0;
  let repairing = false;
  let rebases = 0;
  let objected = false;
  let lastPlace = -1;
  // Every turn settles one visit; keys never repeat, because going back raises the round.
  while (index < blueprint.steps.length) {
    const step = blueprint.steps[index]!;
    const again = visited.has(index);
    visited.add(index);
    const visit: Visit = {
      key: keyOf(index, step.step, again ? { round, rebases } : { round: 0, rebases: 0 }),
      index,
      step,
      round: again ? round : 0,
      repair: again && step.step === 'agent' && repairing,
      rebases,
    };
    const record = records.get(visit.key);
    if (record === undefined || record.state === 'running' || record.state === 'interrupted') {
      return { kind: 'step', ...visit };
    }
    // Records stand in the order in which they began. One that is older than what comes before it in the walk is
    // out of date: a run that was resumed did that again, and what followed from it has to follow again.
    const place = state.steps.indexOf(record);
    if (place < lastPlace) return { kind: 'step', ...visit };
    lastPlace = place;
    repairing = false;
    // One round for the judge, and none for what fails on a base that no agent has seen.
    const roundLeft = round < limits.rounds && rebases === 0 && (step.step !== 'judge' || !objected);
    const turn = after(record, blueprint, index, { roundLeft, rebaseLeft: rebases < maxRebases });
    switch (turn.go) {
      case 'on':
        index += 1;
        break;
      case 'repair':
        index = turn.agent;
        round += 1;
        repairing = true;
        objected ||= step.step === 'judge';
        break;
      case 'verify':
        index = turn.verify;
        rebases += 1;
        break;
      case 'propose': {
        const propose = blueprint.steps.findIndex((other) => other.step === 'propose');
        if (propose <= index) return conclude(state);
        index = propose;
        break;
      }
      case 'stop':
        return turn.end;
    }
  }
  return conclude(state);
}

function keyOf(
  index: number,
  kind: string,
  { round, rebases }: { readonly round: number; readonly rebases: number },
): string {
  return `${index}:${kind}${round === 0 ? '' : `#${round}`}${rebases === 0 ? '' : `+${rebases}`}`;
}

type Turn =
  | { readonly go: 'on' }
  | { readonly go: 'repair'; readonly agent: number }
  /** Judges the proposal anew, on its new base. */
  | { readonly go: 'verify'; readonly verify: number }
  | { readonly go: 'propose' }
  | { readonly go: 'stop'; readonly end: Decision };

/** Where a settled step leads. */
function after(
  record: StepRecord,
  blueprint: Blueprint,
  index: number,
  { roundLeft, rebaseLeft }: { readonly roundLeft: boolean; readonly rebaseLeft: boolean },
): Turn {
  const step = blueprint.steps[index]!;
  if (record.code === 'NOTHING_CHANGED') {
    // An agent that changed nothing did not do its task. Without an agent, nothing to change is a fine result.
    if (step.step === 'agent') return { go: 'stop', end: endOf('needs_human', record, 'NOTHING_CHANGED') };
    return { go: 'on' };
  }
  if (record.code === 'BASE_MOVED' && record.state === 'skipped') {
    const verify = blueprint.steps.findIndex((other) => other.step === 'verify');
    return verify >= 0 && rebaseLeft ? { go: 'verify', verify } : { go: 'on' };
  }
  if (record.state !== 'failed') return { go: 'on' };
  if (isLimit(record.code)) return { go: 'propose' };
  switch (step.step) {
    case 'judge': {
      const agent = blueprint.steps.slice(0, index).findLastIndex((other) => other.step === 'agent');
      return record.code === 'JUDGE_OBJECTED' && agent >= 0 && roundLeft
        ? { go: 'repair', agent }
        : { go: 'on' };
    }
    case 'prefetch':
    case 'propose':
      return { go: 'on' };
    case 'setup':
      return { go: 'stop', end: endOf('failed', record, 'SETUP_FAILED') };
    case 'agent':
      return { go: 'propose' };
    case 'check':
    case 'verify': {
      const agent = blueprint.steps.slice(0, index).findLastIndex((other) => other.step === 'agent');
      const mendable = record.code !== 'VERIFY_TREE_MISMATCH';
      return agent >= 0 && roundLeft && mendable ? { go: 'repair', agent } : { go: 'propose' };
    }
  }
}

/** The end of a run whose steps are all settled. */
function conclude(state: RunState): Decision {
  const { blueprint } = state.plan!;
  const proposes = blueprint.steps.some((step) => step.step === 'propose');
  const propose = lastStep(state, 'propose');
  const failed = state.steps.findLast((step) => step.kind === 'check' || step.kind === 'verify');
  if (
    propose?.code === 'NOTHING_CHANGED' ||
    (!proposes && lastStep(state, 'verify')?.code === 'NOTHING_CHANGED')
  ) {
    return concludeUnchanged(state, failed);
  }
  if (!proposes) return concludeWithoutProposal(state);
  if (propose?.code === 'GATE_REFUSED') return gateEnd({ code: 'GATE_REFUSED', sentence: propose.sentence });
  // Policy speaks last: what it refused is refused whatever the checks said.
  if (propose?.state === 'failed') return endOf('needs_human', propose, 'NOT_VERIFIED');
  const readiness = readinessOf(state);
  const offered =
    state.pullRequest === null || state.created?.options.propose === false
      ? `the work is kept as branch ${state.proposal?.branch ?? state.created?.branch ?? 'of the task'}`
      : `pull request #${state.pullRequest.number} is open${state.pullRequest.draft ? ' as a draft' : ''}`;
  if (!readiness.ready) {
    return end('needs_human', readiness.code, `${sentenceOf(readiness.sentence)}; ${offered}`);
  }
  const verdicts = verifyVerdicts(state);
  const old = verdicts.filter((check) => check.verdict === 'preexisting').length;
  if (old > 0 && old === verdicts.length) {
    return end('succeeded', null, `No new failures (every check failed the same way before); ${offered}`);
  }
  const waivers = waiversOf(state, state.proposal);
  const waived = waivers.length === 0 ? '' : `, objections waived by ${waivers.join(', ')}`;
  const note = `${old === 0 ? '' : ` (${old} failed the same way before)`}${waived}`;
  return end('succeeded', null, `Verified${note}; ${offered}`);
}

/** A refusal is somebody's decision, like a cancel; a question that nobody answered still needs a person. */
function gateEnd({ code, sentence }: GateEnd): Decision {
  return end(code === 'GATE_REFUSED' ? 'cancelled' : 'needs_human', code, sentenceOf(sentence));
}

function concludeUnchanged(state: RunState, failed: StepRecord | undefined): Decision {
  const agent = lastStep(state, 'agent');
  if (agent?.state === 'failed') return endOf('needs_human', agent, 'WORK_UNFINISHED');
  if (failed?.state === 'failed') return endOf('needs_human', failed, 'CHECKS_FAILED');
  const limited = state.steps.findLast((step) => step.state === 'failed' && isLimit(step.code));
  if (limited !== undefined) return endOf('needs_human', limited, 'WORK_UNFINISHED');
  if (needsModel(state.plan!.blueprint)) {
    return end('needs_human', 'NOTHING_CHANGED', errorRegistry.NOTHING_CHANGED.sentence);
  }
  return {
    ...end('succeeded', 'NOTHING_CHANGED', 'All steps passed and nothing had to be changed'),
    next: null,
  };
}

function concludeWithoutProposal(state: RunState): Decision {
  const bad = state.steps.findLast(
    (step, place, all) =>
      step.state === 'failed' && !all.slice(place + 1).some((later) => later.kind === step.kind),
  );
  return bad === undefined || bad.kind === 'prefetch'
    ? end('succeeded', null, 'All steps of the blueprint passed; it proposes nothing')
    : endOf('needs_human', bad, bad.kind === 'verify' ? 'VERIFY_FAILED' : 'CHECKS_FAILED');
}

function end(outcome: Outcome, code: ErrorCode | null, sentence: string): Extract<Decision, { kind: 'end' }> {
  return { kind: 'end', outcome, code, sentence, next: code === null ? null : errorRegistry[code].next };
}

function endOf(outcome: Outcome, record: StepRecord, otherwise: ErrorCode): Decision {
  const code = codeOf(record, otherwise);
  return end(
    outcome,
    code,
    record.sentence === '' ? errorRegistry[code].sentence : sentenceOf(record.sentence),
  );
}

function sentenceOf(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
