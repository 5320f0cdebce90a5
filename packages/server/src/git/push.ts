import { BerthError } from '../domain/errors/index.ts';
import { localReceivePack, localUploadPack } from './git-environment.ts';
import { asGitError } from './git-failure.ts';
import { git, gitText, GitFailure } from './git-process.ts';
import type { GitCommand } from './git-process.ts';
import type { Mirror } from './mirror.ts';
import { isBranchName } from './deliver-repository.ts';
import { parseAddress } from './repository-address.ts';

export interface PushTarget {
  readonly url: string;
  /** Short-lived credentials for this one push. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Push {
  readonly branch: string;
  readonly commit: string;
  /** Where the branch must be before: a commit of ours, or null when it must not exist. */
  readonly expected: string | null;
  readonly signal: AbortSignal;
  /** Default 5 minutes. */
  readonly timeoutMs?: number;
}

interface Reach {
  readonly url: string;
  readonly shown: string;
  readonly upload: readonly string[];
  readonly receive: readonly string[];
  readonly command: Pick<GitCommand, 'transport' | 'env'>;
}

function reach(target: PushTarget): Reach {
  const address = parseAddress(target.url, '/');
  if (address.kind === 'local') {
    return {
      url: address.path,
      shown: address.shown,
      upload: [`--upload-pack=${localUploadPack}`],
      receive: [`--receive-pack=${localReceivePack}`],
      command: { transport: 'file', env: target.env },
    };
  }
  return {
    url: address.url,
    shown: address.shown,
    upload: [],
    receive: [],
    command: { transport: address.transport, env: target.env },
  };
}

/** Where a branch of the target is, or null. */
export async function remoteBranch(
  mirror: Mirror,
  target: PushTarget,
  branch: string,
  signal: AbortSignal,
): Promise<string | null> {
  const { url, upload, command, shown } = reach(target);
  try {
    const text = await gitText({
      args: ['ls-remote', ...upload, '--', url, `refs/heads/${branch}`],
      cwd: mirror.directory,
      ...command,
      signal,
      timeoutMs: 120_000,
    });
    const line = text.split('\n').find((candidate) => candidate.endsWith(`\trefs/heads/${branch}`));
    return line?.split('\t')[0] ?? null;
  } catch (error) {
    throw asGitError(error, shown);
  }
}

/**
 * Moves a branch of the target from `expected` to `commit`, as a compare-and-swap. Repeating it after a crash
 * is fine: a branch that is already there stays.
 *
 * @returns `pushed`, or `already` when the branch was there
 * @throws BerthError `PUSH_REJECTED` when somebody else moved the branch, or the target refused; the errors of
 *   `openProject` when the target cannot be reached
 */
export async function push(mirror: Mirror, target: PushTarget, request: Push): Promise<'pushed' | 'already'> {
  const { branch, commit, expected, signal } = request;
  if (!isBranchName(branch))
    throw new BerthError('PUSH_REJECTED', `"${branch}" is not the name of a branch.`);
  const before = await remoteBranch(mirror, target, branch, signal);
  if (before === commit) return 'already';
  if (before !== expected) throw moved(branch, expected, before);
  const { url, receive, command, shown } = reach(target);
  const answer = await git({
    args: [
      'push',
      '--porcelain',
      '--no-verify',
      '--no-signed',
      '--no-follow-tags',
      '--recurse-submodules=no',
      `--force-with-lease=refs/heads/${branch}:${expected ?? ''}`,
      ...receive,
      '--',
      url,
      `${commit}:refs/heads/${branch}`,
    ],
    cwd: mirror.directory,
    ...command,
    signal,
    timeoutMs: request.timeoutMs ?? 5 * 60_000,
    okCodes: [0, 1],
  }).catch((error: unknown) => {
    throw asGitError(error, shown);
  });
  if (answer.exitCode === 0) return 'pushed';
  const said = answer.stdout.toString('utf8');
  const now = await remoteBranch(mirror, target, branch, signal);
  if (now === commit) return 'already';
  if (now !== expected) throw moved(branch, expected, now);
  const line = said.split('\n').find((candidate) => candidate.startsWith('!'));
  if (line === undefined) throw asGitError(new GitFailure('push', 1, answer.stderr), shown);
  const reason = line.split('\t').at(-1) ?? 'rejected';
  throw new BerthError('PUSH_REJECTED', `The code host refused the branch ${branch}: ${reason}.`, {
    details: { said: answer.stderr.slice(-2_000) },
  });
}

function moved(branch: string, expected: string | null, found: string | null): BerthError {
  const what = found === null ? 'was removed' : expected === null ? 'exists already' : 'was moved';
  return new BerthError('PUSH_REJECTED', `The branch ${branch} ${what} on the code host by somebody else.`, {
    details: { branch, expected, found },
  });
}
