import type { RunContext } from '../domain/ports/run-context.ts';
import { outputText, runPrepared, succeeded } from './prepared.ts';
import type { Plan } from './steps/step.ts';

/** More changed files than this, and the full command runs instead of the affected form. */
export const maxAffectedFiles = 200;

/** `$1` is the base commit. Deleted files are left out: no tool can be pointed at them. */
export const changedFilesScript = [
  'git -c core.quotePath=false diff --no-ext-diff --no-renames --name-only -z --diff-filter=d "$1" -- 2>/dev/null || exit 1',
  'git ls-files -z --others --exclude-standard 2>/dev/null',
].join('\n');

/**
 * The files that differ from the base in the work sandbox, as the sandbox says: good enough to choose what runs
 * first, never good enough for a verdict.
 * @returns null when they are not known or too many
 */
export async function changedInSandbox(
  ctx: RunContext,
  plan: Plan,
  request: { readonly id: string; readonly step: string },
): Promise<readonly string[] | null> {
  const ran = await runPrepared(ctx, plan, 'work', {
    id: request.id,
    step: request.step,
    purpose: 'other',
    name: 'changed files',
    command: { run: changedFilesScript, cwd: '.', env: {}, timeoutMinutes: 1, egress: [] },
    args: [plan.base.commit],
  });
  if ('setup' in ran || !succeeded(ran.outcome.result) || ran.outcome.result.truncated) return null;
  return pathsOf(await outputText(ctx, ran.outcome));
}

/** Paths out of NUL-separated output. Null when one could be taken for an option or leaves the repository. Pure. */
export function pathsOf(output: string): readonly string[] | null {
  const paths = [...new Set(output.split('\0').filter((path) => path !== ''))];
  if (paths.length > maxAffectedFiles) return null;
  const odd = paths.some(
    (path) =>
      path.startsWith('-') ||
      path.startsWith('/') ||
      path.includes('\uFFFD') ||
      path.split('/').some((part) => part === '..' || part === ''),
  );
  return odd ? null : paths;
}

/** Those of `paths` that lie in a directory, relative to it. Pure. */
export function below(paths: readonly string[], directory: string): readonly string[] {
  const clean = directory.split('/').filter((part) => part !== '.' && part !== '');
  if (clean.length === 0) return paths;
  const prefix = `${clean.join('/')}/`;
  return paths.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
}
