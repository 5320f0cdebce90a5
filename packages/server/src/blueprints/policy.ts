import type { RunContext } from '../domain/ports/run-context.ts';
import type { Proposal } from './proposal.ts';
import type { Objection } from './readiness.ts';
import { isErrorCode } from '../domain/errors/index.ts';
import { visible } from '../domain/events/index.ts';
import type { Plan, PolicyFinding, StepDeps } from './steps/step.ts';

export interface PolicyResult {
  readonly objections: readonly Objection[];
  /** False when not even a draft may leave: pushing a credential publishes it. */
  readonly mayPush: boolean;
}

/** What policy says about a proposal: what git found when it was taken in, and whether it alters its own checks. */
export async function policyOf(
  ctx: RunContext,
  deps: StepDeps,
  plan: Plan,
  proposal: Proposal,
): Promise<PolicyResult> {
  const findings = [...(proposal.findings ?? [])].sort((a, b) => gravity(b) - gravity(a));
  const objections = findings.map(({ code, sentence }): Objection => ({
    code: isErrorCode(code) ? code : 'NEEDS_A_PERSON',
    sentence,
  }));
  const altered = await alteredDefinitions(ctx, deps, plan, proposal);
  if (altered.length > 0) {
    objections.push({
      code: 'CHECKS_CHANGED',
      sentence: `the change alters how it is checked: ${some(altered)}`,
    });
  }
  return { objections, mayPush: !findings.some((finding) => finding.severity === 'refuse') };
}

function gravity(finding: PolicyFinding): number {
  return finding.severity === 'refuse' ? 1 : 0;
}

const makefiles = ['Makefile', 'makefile', 'GNUmakefile'];

/**
 * What decides what the checks do and is changed by the proposal itself: the scripts of a `package.json` and a
 * makefile that a check calls. An agent that turns `npm test` into `true` would otherwise verify itself.
 */
async function alteredDefinitions(
  ctx: RunContext,
  deps: StepDeps,
  plan: Plan,
  proposal: Proposal,
): Promise<string[]> {
  const altered: string[] = [];
  const seen = new Set<string>();
  for (const check of plan.blueprint.checks) {
    const at = (file: string): string =>
      check.cwd === '.' ? file : `${check.cwd.replace(/\/+$/, '')}/${file}`;
    const files = [
      ...(/\b(?:npm|npx|pnpm|yarn|bun)\b/.test(check.run) ? [at('package.json')] : []),
      ...(/\bmake\b/.test(check.run) ? makefiles.map(at) : []),
    ];
    for (const file of files.filter((one) => !seen.has(one))) {
      seen.add(file);
      const before = await deps.proposals.readFileAt(plan.base.commit, file, ctx.signal);
      const after = await deps.proposals.readFileAt(proposal.commit, file, ctx.signal);
      if (definitionOf(file, before) !== definitionOf(file, after)) {
        altered.push(file.endsWith('package.json') ? `scripts of ${file}` : file);
      }
    }
  }
  return altered;
}

/** The part of a file that says what checks do, in a form that can be compared. */
function definitionOf(file: string, text: string | null): string {
  if (text === null) return '';
  if (!file.endsWith('package.json')) return text;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return text;
    const { scripts } = value as { scripts?: unknown };
    return (
      JSON.stringify(
        typeof scripts === 'object' && scripts !== null
          ? Object.entries(scripts).sort(([a], [b]) => (a < b ? -1 : 1))
          : scripts,
      ) ?? ''
    );
  } catch {
    return text;
  }
}

function some(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => visible(name))
    .join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
