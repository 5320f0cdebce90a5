import type { RunContext } from '../domain/ports/run-context.ts';
import type { Proposal } from './proposal.ts';
import type { Objection } from './readiness.ts';
import { visible } from '../domain/events/index.ts';
import type { Plan, StepDeps } from './steps/step.ts';

/** Berth's own settings decide about runs: a run may propose to change them, never as ready. */
export const alwaysProtected: readonly string[] = ['.berth'];

/** Most of a difference that is searched for credentials, in bytes. */
const maxScannedBytes = 8 * 1024 * 1024;

export interface PolicyResult {
  readonly objections: readonly Objection[];
  /** False when not even a draft may leave: pushing a credential publishes it. */
  readonly mayPush: boolean;
}

/** What policy says about a proposal, looked at outside of every sandbox. */
export async function policyOf(
  ctx: RunContext,
  deps: StepDeps,
  plan: Plan,
  proposal: Proposal,
): Promise<PolicyResult> {
  const range = { base: plan.base.commit, commit: proposal.commit, signal: ctx.signal };
  const objections: Objection[] = [];
  const pathspecs = [...alwaysProtected, ...plan.blueprint.protectedPaths];
  const guarded = await deps.proposals.changedFiles({ ...range, pathspecs });
  if (guarded.length > 0) {
    const named = some(guarded.map((file) => file.path));
    objections.push({ code: 'PROTECTED_PATH', sentence: `protected paths are changed: ${named}` });
  }
  const altered = await alteredDefinitions(ctx, deps, plan, proposal);
  if (altered.length > 0) {
    objections.push({
      code: 'CHECKS_CHANGED',
      sentence: `the change alters how it is checked: ${some(altered)}`,
    });
  }
  let mayPush = true;
  if (deps.secrets !== null) {
    const { text } = await deps.proposals.diff({ ...range, maxBytes: maxScannedBytes });
    const found = deps.secrets.scan(text);
    if (found.length > 0) {
      mayPush = false;
      objections.push({
        code: 'SECRET_IN_PROPOSAL',
        sentence: `a credential seems to be in it: ${some(found)}`,
      });
    }
  }
  return { objections, mayPush };
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
