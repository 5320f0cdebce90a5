import type { Check } from '../../domain/blueprint.ts';
import type { EventData } from '../../domain/events/index.ts';
import type { CommandOutcome, RunContext } from '../../domain/ports/run-context.ts';
import { baselineOf, judgeFailure } from '../baseline.ts';
import { below, changedInSandbox } from '../changed-files.ts';
import { extractFailure } from '../failures/failure-extract.ts';
import { endWords, outputText, runPrepared, succeeded, type Prepared } from '../prepared.ts';
import type { Visit } from '../walker.ts';
import { setupFailure } from './setup.ts';
import {
  attemptKey,
  attemptOf,
  failed,
  passed,
  planned,
  skipped,
  type Plan,
  type StepFunction,
  type StepOutcome,
} from './step.ts';

/** Cheap and self-mending checks first: what they change is then tested. */
const order: Readonly<Record<Check['kind'], number>> = { format: 0, lint: 1, test: 2, build: 3 };

/** `checks` in the order in which they run. Pure; keeps the blueprint's order within a kind. */
export function inOrder(checks: readonly Check[]): Check[] {
  return [...checks].sort((a, b) => order[a.kind] - order[b.kind]);
}

/**
 * Runs the checks where the agent works. What they say only steers repair: the agent could have changed anything
 * here. The verdict that counts is `verify`'s.
 */
export const checkStep: StepFunction = async (ctx, deps, visit) => {
  const { plan } = planned(ctx);
  const only = visit.step.step === 'check' ? visit.step.only : undefined;
  const checks = inOrder(plan.blueprint.checks).filter((check) => only?.includes(check.name) ?? true);
  if (checks.length === 0) return skipped('no checks are known for this repository');
  const prefix = attemptKey(visit, await attemptOf(ctx, visit));
  const baseTree = await deps.proposals.treeOf(plan.base.commit, ctx.signal);
  const round: Round = {
    ctx,
    plan,
    visit,
    prefix,
    baseTree,
    agentless: !plan.blueprint.steps.slice(0, visit.index).some((step) => step.step === 'agent'),
    changedAll: await changedInSandbox(ctx, plan, { id: `${prefix}/changed`, step: visit.key }),
  };
  const judged: Judged[] = [];
  for (const check of checks) {
    const result = await runCheck(round, check);
    if ('setup' in result) return setupFailure(result.setup);
    judged.push(result);
  }
  return summary(judged);
};

interface Round {
  readonly ctx: RunContext;
  readonly plan: Plan;
  readonly visit: Visit;
  readonly prefix: string;
  readonly baseTree: string;
  /** No agent comes before this step: whatever fails was there before, and fixing all of it is the purpose. */
  readonly agentless: boolean;
  /** Relative to the repository's root; null when they are not known or too many. */
  readonly changedAll: readonly string[] | null;
}

/** The changed files a check can be narrowed to: those below its directory, relative to it. */
function changedFor(round: Round, check: Check): readonly string[] | null {
  return round.changedAll === null ? null : below(round.changedAll, check.cwd);
}

interface Judged {
  readonly name: string;
  readonly verdict: EventData<'check.judged'>['verdict'];
  readonly timedOut: boolean;
  readonly words: string;
}

type SetupFailed = { readonly setup: Prepared & { ok: false } };
type Ran = { readonly outcome: CommandOutcome; readonly command: string };

async function runCheck(round: Round, check: Check): Promise<Judged | SetupFailed> {
  const { ctx, plan, visit, prefix } = round;
  let ran: Ran;
  const first = await runFixed(round, check);
  if ('setup' in first) return first;
  ran = first;
  const { proposalTree } = await ctx.workbench.checkpoint();
  let verdict: Judged['verdict'] = 'passed';
  let failure: string | null = null;
  if (!succeeded(ran.outcome.result)) {
    // The narrow form is trusted when its output names what failed; otherwise the full command has to say it.
    if (ran.command === check.affected && !(await isRecognised(ctx, ran.outcome))) {
      const full = await run(round, check, {
        id: `${prefix}/${check.name}.full`,
        script: check.run,
        args: [],
      });
      if ('setup' in full) return full;
      ran = full;
    }
    if (!succeeded(ran.outcome.result)) {
      const compare = !round.agentless || proposalTree !== round.baseTree;
      const result = await judgeFailure(ctx, plan, { step: visit.key, check, outcome: ran.outcome, compare });
      verdict = result.verdict;
      failure = describeFailure(check, ran, result.failure.text);
    }
  }
  await judge(ctx, {
    step: visit.key,
    name: check.name,
    kind: check.kind,
    commandId: ran.outcome.id,
    command: ran.command,
    exitCode: ran.outcome.result.exitCode,
    durationMs: ran.outcome.result.durationMs,
    tree: proposalTree,
    verdict,
    failure,
  });
  return {
    name: check.name,
    verdict,
    timedOut: ran.outcome.result.timedOut,
    words: `${check.name} ${endWords(ran.outcome.result, check)}`,
  };
}

/** Runs a check, letting its `fix` mend first what no model is needed for. */
async function runFixed(round: Round, check: Check): Promise<Ran | SetupFailed> {
  const { ctx, plan, visit, prefix, agentless } = round;
  const changed = changedFor(round, check);
  const { fix } = check;
  if (fix === undefined) return runNarrow(round, check, '');
  const takesFiles = /"\$@"|\$@|\$\*/.test(fix);
  const fixIt = (args: readonly string[]): Promise<Ran | SetupFailed> =>
    run(round, check, { id: `${prefix}/${check.name}.fix`, script: fix, args, purpose: 'fix' });
  if (agentless || (takesFiles && changed !== null && changed.length > 0)) {
    const fixed = await fixIt(agentless ? ['.'] : (changed ?? []));
    return 'setup' in fixed ? fixed : runNarrow(round, check, '');
  }
  const ran = await runNarrow(round, check, '');
  if ('setup' in ran || succeeded(ran.outcome.result) || (takesFiles && changed?.length === 0)) return ran;
  // A fix for the whole repository would also rewrite what was never in order: only when the base was.
  const before = await baselineOf(ctx, plan, visit.key, check);
  if (before.kind !== 'passes') return ran;
  const fixed = await fixIt(takesFiles ? ['.'] : []);
  return 'setup' in fixed ? fixed : runNarrow(round, check, '.again');
}

function runNarrow(round: Round, check: Check, suffix: string): Promise<Ran | SetupFailed> {
  const changed = changedFor(round, check);
  const id = `${round.prefix}/${check.name}${suffix}`;
  return check.affected !== undefined && changed !== null && changed.length > 0
    ? run(round, check, { id, script: check.affected, args: changed })
    : run(round, check, { id, script: check.run, args: [] });
}

async function run(
  { ctx, plan, visit }: Round,
  check: Check,
  request: {
    readonly id: string;
    readonly script: string;
    readonly args: readonly string[];
    readonly purpose?: 'fix';
  },
): Promise<Ran | SetupFailed> {
  const ran = await runPrepared(ctx, plan, 'work', {
    id: request.id,
    step: visit.key,
    purpose: request.purpose ?? check.kind,
    name: request.purpose === 'fix' ? `${check.name} fix` : check.name,
    command: { ...check, run: request.script },
    args: request.args,
  });
  return 'setup' in ran ? ran : { outcome: ran.outcome, command: request.script };
}

async function isRecognised(ctx: RunContext, outcome: CommandOutcome): Promise<boolean> {
  return !outcome.result.timedOut && extractFailure(await outputText(ctx, outcome)).tools.length > 0;
}

/** How the command ended, above the failing part of what it printed. */
export function describeFailure(check: Check, ran: Ran, text: string): string {
  const advice = ran.outcome.result.timedOut
    ? ' A check may not watch for changes, wait for input or open a pager.'
    : '';
  return `${check.name} ${endWords(ran.outcome.result, check)}.${advice}\n${text}`.trimEnd();
}

/** Records a verdict once: entered again after a crash, the same command has the same verdict. */
export async function judge(ctx: RunContext, verdict: EventData<'check.judged'>): Promise<void> {
  const known = ctx.log
    .state()
    .checks.some((one) => one.commandId === verdict.commandId && one.step === verdict.step);
  if (known) return;
  const durationMs = Math.round(verdict.durationMs);
  await ctx.events.append({ type: 'check.judged', data: { ...verdict, durationMs } });
}

function summary(judged: readonly Judged[]): StepOutcome {
  const bad = judged.filter((one) => one.verdict === 'failed');
  const old = judged.filter((one) => one.verdict === 'preexisting').length;
  const note = old === 0 ? '' : `, ${old} failed the same way before`;
  if (bad.length === 0) return passed(`${judged.length - old} of ${judged.length} checks pass${note}`);
  const words = bad
    .slice(0, 3)
    .map((one) => one.words)
    .join('; ');
  return failed(
    bad.every((one) => one.timedOut) ? 'CHECK_TIMED_OUT' : 'CHECKS_FAILED',
    `${words}${bad.length > 3 ? `; and ${bad.length - 3} more` : ''}`,
  );
}
