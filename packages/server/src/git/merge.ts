import { BerthError } from '../domain/errors/index.ts';
import { git, gitText } from './git-process.ts';
import { shownPath, splitNul } from './tree-listing.ts';

export interface Merge {
  readonly directory: string;
  readonly base: string;
  readonly head: string;
  readonly message: string;
  readonly by: string;
  readonly atMs: number;
  readonly signal: AbortSignal;
}

/**
 * Makes the commit that merges `head` into `base`, in a bare repository; moves no branch. All objects the merge
 * stands on are checked first.
 *
 * @throws BerthError `MERGE_CONFLICT` with the paths, `REPO_DAMAGED`
 */
export async function mergeCommit(merge: Merge): Promise<string> {
  const { directory, base, head, signal } = merge;
  const checked = await git({
    args: ['rev-list', '--objects', '--quiet', head, '--not', base, '--'],
    cwd: directory,
    signal,
    okCodes: [0, 128],
  });
  if (checked.exitCode !== 0)
    throw new BerthError('REPO_DAMAGED', undefined, { details: { said: checked.stderr.slice(-1_000) } });
  const merged = await git({
    args: [
      'merge-tree',
      '--write-tree',
      '-z',
      '--name-only',
      '--no-messages',
      '--allow-unrelated-histories',
      base,
      head,
    ],
    cwd: directory,
    signal,
    okCodes: [0, 1],
    timeoutMs: 120_000,
  });
  const [tree, ...conflicts] = splitNul(merged.stdout);
  if (merged.exitCode === 1 || tree === undefined) {
    const paths = [...new Set(conflicts.filter((path) => path.length > 0).map(shownPath))];
    throw new BerthError(
      'MERGE_CONFLICT',
      `The pull request conflicts with its base branch in ${paths.slice(0, 5).join(', ')}.`,
      {
        details: { paths: paths.slice(0, 100) },
      },
    );
  }
  const date = `@${Math.floor(merge.atMs / 1000)} +0000`;
  return gitText({
    args: ['commit-tree', tree.toString('latin1'), '-p', base, '-p', head, '-F', '-'],
    cwd: directory,
    input: merge.message,
    env: {
      GIT_AUTHOR_NAME: merge.by,
      GIT_AUTHOR_EMAIL: 'berth@berth.invalid',
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: 'Berth',
      GIT_COMMITTER_EMAIL: 'berth@berth.invalid',
      GIT_COMMITTER_DATE: date,
    },
    signal,
  });
}
