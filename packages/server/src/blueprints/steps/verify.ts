import type { Check } from '../../domain/blueprint.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { CommandOutcome, RunContext } from '../../domain/ports/run-context.ts';
import { judgeFailure } from '../baseline.ts';
import { endWords, outputText, prepare, runPrepared, succeeded } from '../prepared.ts';
import { ensureProposal, type Proposal } from '../proposal.ts';
import type { Visit } from '../walker.ts';
import { describeFailure, inOrder, judge } from './check.ts';
import { setupFailure } from './setup.ts';
import {
  attemptKey,
  attemptOf,
  failed,
  passed,
  planned,
  skipped,
  type StepFunction,
  type StepOutcome,
} from './step.ts';

/**
 * Puts tracked files back to the proposed commit (`setup` may rewrite a lock file, a test its fixtures) and
 * prints the tree that is then there. git is the one of the tools directory, which is read-only, or where there is none
 * `command -p` looks for it in the system's own path.
 */
export const confirmScript = [
  // Warnings would mix with the answer.
  'exec 2>/dev/null',
  'system() { command -p git "$@"; }',
  'if [ -x /opt/berth/bin/git ]; then git=/opt/berth/bin/git; else git=system; fi',
  'g() { "$git" -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.untrackedCache=false "$@"; }',
  'g reset --quiet --hard "$1" -- && g diff --quiet HEAD -- && g rev-parse --verify "HEAD^{tree}"',
].join('\n');

/**
 * The verdict that counts: the full commands of all checks, in a fresh sandbox filled from the proposed commit
 * alone, in which no agent has acted.
 */
export const verifyStep: StepFunction = async (ctx, deps, visit) => {
  const proposal = await ensureProposal(ctx, deps);
  if (proposal === null) return skipped('nothing was changed', 'NOTHING_CHANGED');
  return verify(ctx, visit, proposal);
};

async function verify(ctx: RunContext, visit: Visit, proposal: Proposal): Promise<StepOutcome> {
  const { plan } = planned(ctx);
  const prefix = attemptKey(visit, await attemptOf(ctx, visit));
  const prepared = await prepare(ctx, plan, { purpose: 'verify', step: visit.key });
  if (!prepared.ok) return setupFailure(prepared, ' of the verification');
  const bad: string[] = [];
  let old = 0;
  const checks = inOrder(plan.blueprint.checks);
  for (const check of checks) {
    const ran = await runOnTree(ctx, visit, { check, id: `${prefix}/${check.name}`, proposal });
    if ('code' in ran) return ran;
    const verdict = await record(ctx, visit, check, ran.outcome, proposal);
    if (verdict === 'failed') bad.push(`${check.name} ${endWords(ran.outcome.result, check)}`);
    if (verdict === 'preexisting') old += 1;
  }
  if (bad.length > 0) return failed('VERIFY_FAILED', bad.slice(0, 3).join('; '));
  if (checks.length === 0) return passed('no checks are known; only the setup was tried', 'NO_CHECKS');
  const note = old === 0 ? '' : `, ${old} failed the same way before`;
  return passed(
    `${checks.length - old} of ${checks.length} checks pass on ${proposal.tree.slice(0, 10)}${note}`,
  );
}

/** How often a check is run anew because the sandbox whose tree was confirmed was lost before it ran. */
const maxLosses = 3;

/** Runs a check in a sandbox whose tree was confirmed just before; both in the same one, or it does not count. */
async function runOnTree(
  ctx: RunContext,
  visit: Visit,
  request: { readonly check: Check; readonly id: string; readonly proposal: Proposal },
): Promise<StepOutcome | { readonly outcome: CommandOutcome }> {
  const { plan } = planned(ctx);
  const { check, id, proposal } = request;
  for (let losses = 0; losses <= maxLosses; losses += 1) {
    const suffix = losses === 0 ? '' : `~${losses}`;
    const confirmed = await confirmTree(ctx, { id: `${id}.tree${suffix}`, step: visit.key, proposal });
    if (!confirmed.ok) return confirmed.outcome;
    const ran = await runPrepared(ctx, plan, 'verify', {
      id: `${id}${suffix}`,
      step: visit.key,
      purpose: check.kind,
      name: check.name,
      command: check,
    });
    if ('setup' in ran) return setupFailure(ran.setup, ' of the verification');
    if (ctx.log.state().commands[ran.outcome.id]?.sandboxId === confirmed.sandboxId) return ran;
  }
  throw new BerthError('SANDBOX_LOST', 'The sandbox of the verification was lost again and again');
}

async function record(
  ctx: RunContext,
  visit: Visit,
  check: Check,
  outcome: CommandOutcome,
  proposal: Proposal,
): Promise<'passed' | 'failed' | 'preexisting'> {
  const { plan } = planned(ctx);
  const base = {
    step: visit.key,
    name: check.name,
    kind: check.kind,
    commandId: outcome.id,
    command: check.run,
    exitCode: outcome.result.exitCode,
    durationMs: outcome.result.durationMs,
    tree: proposal.tree,
  };
  if (succeeded(outcome.result)) {
    await judge(ctx, { ...base, verdict: 'passed', failure: null });
    return 'passed';
  }
  // The same command passed where the agent worked and fails here: that is no old failure, whatever it looks like.
  const compare = !passedAtWork(ctx, check);
  const { verdict, failure } = await judgeFailure(ctx, plan, { step: visit.key, check, outcome, compare });
  const text = describeFailure(check, { outcome, command: check.run }, failure.text);
  await judge(ctx, { ...base, verdict, failure: text });
  return verdict;
}

/** Whether the full command of a check passed in the agent's own sandbox the last time it was judged there. */
function passedAtWork(ctx: RunContext, check: Check): boolean {
  const { state } = planned(ctx);
  const last = state.checks.findLast(
    (one) =>
      one.name === check.name && state.steps.some((step) => step.key === one.step && step.kind === 'check'),
  );
  return last?.verdict === 'passed' && last.command === check.run;
}

/** Puts the tracked files back to the proposed tree and makes sure of it; otherwise says why nothing can count. */
async function confirmTree(
  ctx: RunContext,
  request: { readonly id: string; readonly step: string; readonly proposal: Proposal },
): Promise<{ ok: true; sandboxId: string | undefined } | { ok: false; outcome: StepOutcome }> {
  const { plan } = planned(ctx);
  const ran = await runPrepared(ctx, plan, 'verify', {
    id: request.id,
    step: request.step,
    purpose: 'other',
    name: 'confirm the tree',
    command: { run: confirmScript, cwd: '.', env: {}, timeoutMinutes: 2, egress: [] },
    args: [request.proposal.commit],
  });
  if ('setup' in ran) return { ok: false, outcome: setupFailure(ran.setup, ' of the verification') };
  const last = (await outputText(ctx, ran.outcome)).trim().split('\n').at(-1) ?? '';
  if (succeeded(ran.outcome.result) && last === request.proposal.tree) {
    return { ok: true, sandboxId: ctx.log.state().commands[ran.outcome.id]?.sandboxId };
  }
  const tree = request.proposal.tree.slice(0, 10);
  return {
    ok: false,
    outcome: failed('VERIFY_TREE_MISMATCH', `the checks would not have run on the proposed tree ${tree}`),
  };
}
