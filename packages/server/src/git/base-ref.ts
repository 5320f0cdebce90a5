import { BerthError } from '../domain/errors/index.ts';
import { git, gitText } from './git-process.ts';
import type { Mirror } from './mirror.ts';
import { shownPath } from './tree-listing.ts';

/** The commit a run starts from, pinned. */
export interface Base {
  /** As shown and recorded: a branch, a tag, or a commit id. */
  readonly ref: string;
  readonly commit: string;
  /** The branch a pull request would go to; null when the base is no branch and the source has no default. */
  readonly branch: string | null;
}

async function commitOf(mirror: Mirror, name: string, signal: AbortSignal): Promise<string | null> {
  const found = await git({
    args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
    cwd: mirror.directory,
    signal,
    okCodes: [0, 1, 128],
  });
  const text = found.stdout.toString('latin1').trim();
  return found.exitCode === 0 && /^[0-9a-f]{40,64}$/.test(text) ? text : null;
}

/**
 * Pins a base: a branch, `origin/<branch>`, a tag or a commit id; null means HEAD of the source.
 *
 * @throws BerthError `BASE_UNKNOWN` with the nearest names
 */
export async function resolveBase(mirror: Mirror, ref: string | null, signal: AbortSignal): Promise<Base> {
  const wanted = ref === null || ref === 'HEAD' ? null : ref;
  if (wanted === null) return headBase(mirror, signal);
  const isName = /^[^-\0][^\0~^:?*[\\ ]*$/.test(wanted) && !wanted.includes('..') && !wanted.includes('@{');
  if (isName) {
    const branch = wanted.replace(/^refs\/heads\//, '');
    const candidates: ReadonlyArray<readonly [string, string | null]> = [
      [`refs/heads/${branch}`, branch],
      [`refs/remotes/${wanted}`, wanted.split('/').slice(1).join('/')],
      [`refs/remotes/origin/${wanted}`, wanted],
      [`refs/tags/${wanted.replace(/^refs\/tags\//, '')}`, mirror.head.branch],
    ];
    for (const [name, target] of candidates) {
      const commit = await commitOf(mirror, name, signal);
      if (commit !== null) return { ref: branch, commit, branch: target };
    }
    if (/^[0-9a-f]{7,64}$/i.test(wanted)) {
      const commit = await commitOf(mirror, wanted, signal);
      if (commit !== null) return { ref: commit, commit, branch: mirror.head.branch };
    }
  }
  throw await unknown(mirror, wanted, signal);
}

async function headBase(mirror: Mirror, signal: AbortSignal): Promise<Base> {
  const { branch, commit } = mirror.head;
  if (branch !== null) {
    const found = await commitOf(mirror, `refs/heads/${branch}`, signal);
    if (found !== null) return { ref: branch, commit: found, branch };
  }
  if (commit !== null && (await commitOf(mirror, commit, signal)) !== null) {
    return { ref: commit, commit, branch: await branchWith(mirror, commit, signal) };
  }
  const branches = await names(mirror, ['refs/heads'], signal);
  const only =
    branches.length === 1 ? branches[0] : ['main', 'master'].find((name) => branches.includes(name));
  const found = only === undefined ? null : await commitOf(mirror, `refs/heads/${only}`, signal);
  if (only !== undefined && found !== null) return { ref: only, commit: found, branch: only };
  throw new BerthError(
    'BASE_UNKNOWN',
    `HEAD of ${mirror.source} names no commit, and none of its branches is the obvious base.`,
    {
      details: { branches: branches.slice(0, 20) },
    },
  );
}

/** The branch that a commit without one belongs to: the usual ones first; null when it is on none. */
async function branchWith(mirror: Mirror, commit: string, signal: AbortSignal): Promise<string | null> {
  const contains = ['--contains', commit];
  const local = await names(mirror, [...contains, 'refs/heads'], signal);
  const remote = await names(mirror, [...contains, 'refs/remotes/origin'], signal);
  const branches = [...local, ...remote.map((name) => name.replace(/^origin\//, ''))];
  const known = branches.filter((name) => name !== 'HEAD');
  return ['main', 'master'].find((name) => known.includes(name)) ?? known[0] ?? null;
}

/** What stands for the base branch of a commit that is on no branch of its source. */
export function detachedBranch(commit: string): string {
  return `detached-${commit.slice(0, 12)}`;
}

/** The beginning of the commit's id in a name that `detachedBranch` made; null for any other name. */
export function detachedCommit(branch: string): string | null {
  return /^detached-([0-9a-f]{12})$/.exec(branch)?.[1] ?? null;
}

async function names(mirror: Mirror, spaces: readonly string[], signal: AbortSignal): Promise<string[]> {
  const text = await gitText({
    args: ['for-each-ref', '--count=5000', '--format=%(refname:lstrip=2)', ...spaces],
    cwd: mirror.directory,
    signal,
  });
  return text.split('\n').filter((line) => line !== '');
}

async function unknown(mirror: Mirror, wanted: string, signal: AbortSignal): Promise<BerthError> {
  const all = await names(mirror, ['refs/heads', 'refs/tags', 'refs/remotes'], signal);
  const nearest = nearestNames(wanted, all);
  const shown = shownPath(Buffer.from(wanted.slice(0, 200)));
  const hint = nearest.length === 0 ? '' : ` Nearest: ${nearest.join(', ')}.`;
  return new BerthError('BASE_UNKNOWN', `There is no branch, tag or commit "${shown}".${hint}`, {
    details: { wanted: shown, nearest },
  });
}

/** Edit distance of two short names. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}

/** Up to three names that a typing error or a missing prefix could have meant. */
export function nearestNames(wanted: string, all: readonly string[]): string[] {
  const word = wanted.slice(0, 100).toLowerCase();
  return [...new Set(all)]
    .map((name) => {
      const other = name.slice(0, 100).toLowerCase();
      const contains = word.length >= 3 && (other.includes(word) || word.includes(other));
      return { name, score: contains ? 1 : distance(word, other) };
    })
    .filter(({ score }) => score <= Math.max(2, Math.ceil(word.length / 3)))
    .sort((left, right) => left.score - right.score || (left.name < right.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}
