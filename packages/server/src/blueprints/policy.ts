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
  const findings = (proposal.findings ?? [])
    .filter((finding) => finding.severity !== 'note')
    .sort((a, b) => gravity(b) - gravity(a));
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

/**
 * Files that decide what runs when a check says `npm test` or `pytest`, and how: a `script-shell` in `.npmrc` answers
 * for every script, a runner's configuration says which tests there are.
 */
const steersChecks =
  /(?:^|\/)(?:\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.[cm]?js|bunfig\.toml|pytest\.ini|tox\.ini|\.mocharc(?:\.\w+)?|\.taprc|(?:vitest|jest|ava|karma)\.(?:config|workspace)\.\w+|(?:site|user)customize\.py)$/i;

const makefiles = ['Makefile', 'makefile', 'GNUmakefile'];

/**
 * What decides what the checks do and is changed by the proposal itself: the scripts of a `package.json`, the
 * packages it takes from elsewhere than a registry, a makefile that a check calls, settings of runners. An agent that turns `npm test` into `true` would otherwise verify itself.
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
      const before = await deps.proposals.readFileAt(proposal.base, file, ctx.signal);
      const after = await deps.proposals.readFileAt(proposal.commit, file, ctx.signal);
      if (definitionOf(file, before) !== definitionOf(file, after)) {
        altered.push(file.endsWith('package.json') ? `scripts or local packages of ${file}` : file);
      }
    }
  }
  const changed = await deps.proposals.changedFiles({
    base: proposal.base,
    commit: proposal.commit,
    signal: ctx.signal,
  });
  if (plan.blueprint.checks.length > 0)
    altered.push(...changed.map((file) => file.path).filter((path) => steersChecks.test(path)));
  return altered;
}

/** The part of a file that says what checks do, in a form that can be compared. */
function definitionOf(file: string, text: string | null): string {
  if (text === null) return '';
  if (!file.endsWith('package.json')) return text;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return text;
    const { scripts, jest, ava, mocha, ...rest } = value as Record<string, unknown>;
    return JSON.stringify([scripts, jest, ava, mocha].map(sorted).concat(localPackages(rest)));
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    : (value ?? null);
}

/** Packages that come from anywhere but a registry: a test runner of the change's own would say what it is told to. */
function localPackages(manifest: Readonly<Record<string, unknown>>): string[] {
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides', 'resolutions'];
  return groups
    .flatMap((group) => Object.entries(manifest[group] ?? {}))
    .map(([name, from]) => `${name} ${JSON.stringify(from)}`)
    .filter((line) => /^\S+ (?:\{|"(?:[a-z+]+:|[^"@]*\/))/i.test(line) && !/^\S+ "workspace:/.test(line))
    .sort();
}

function some(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => visible(name))
    .join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
