import { createHash } from 'node:crypto';
import { lstat, readFile, readlink, stat } from 'node:fs/promises';
import { BerthError } from '../domain/errors/index.ts';
import { asGitError } from './git-failure.ts';
import { git, gitText } from './git-process.ts';
import { rawChanges } from './tree-listing.ts';

/** What is in a working copy beyond its last commit; none of it is part of a run's base. */
export interface UncommittedChanges {
  readonly staged: number;
  readonly modified: number;
  readonly untracked: number;
}

export interface LocalSource {
  /** What git fetches from: the top of the working copy, or the bare repository. */
  readonly path: string;
  /** The same for all worktrees of one repository. */
  readonly commonDirectory: string;
  readonly bare: boolean;
  /** Null for a bare repository. */
  readonly uncommitted: UncommittedChanges | null;
}

/** More differing files than this are not compared byte by byte. */
const maxCompared = 500;

function pathError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new BerthError('REPO_NOT_FOUND', `There is nothing at ${path}.`, { cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new BerthError('REPO_PERMISSION_DENIED', `${path} may not be read by the user Berth runs as.`, {
      cause: error,
    });
  }
  return error;
}

/**
 * Finds the repository that holds `path` (a subdirectory, a linked worktree and a bare repository are all fine)
 * and counts what is not committed. Reads only: nothing is written to it, and nothing its configuration names
 * is executed.
 */
export async function inspectLocalSource(path: string, signal: AbortSignal): Promise<LocalSource> {
  const found = await stat(path).catch((error: unknown) => {
    throw pathError(error, path);
  });
  if (!found.isDirectory()) {
    throw new BerthError('REPO_NOT_A_REPOSITORY', `${path} is a file, not a git repository.`);
  }
  const ask = async (...question: string[]) =>
    gitText({ args: ['rev-parse', '--path-format=absolute', ...question], cwd: path, signal });
  try {
    const commonDirectory = await ask('--git-common-dir');
    const bare = (await ask('--is-inside-work-tree')) !== 'true';
    const top = bare ? await ask('--git-dir') : await ask('--show-toplevel');
    const uncommitted = bare ? null : await countUncommitted(top, signal);
    return { path: top, commonDirectory, bare, uncommitted };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw code === undefined ? asGitError(error, path) : pathError(error, path);
  }
}

function blobId(bytes: Uint8Array, algorithm: 'sha1' | 'sha256'): string {
  return createHash(algorithm).update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** Git's own comparison would run the repository's clean filters; this compares bytes. */
async function differs(top: string, path: Buffer, id: string): Promise<boolean> {
  const file = Buffer.concat([Buffer.from(`${top}/`), path]);
  try {
    const link = (await lstat(file)).isSymbolicLink();
    const bytes = link ? await readlink(file, { encoding: 'buffer' }) : await readFile(file);
    const algorithm = id.length === 64 ? 'sha256' : 'sha1';
    if (blobId(bytes, algorithm) === id) return false;
    const unixLines = Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
    return blobId(unixLines, algorithm) !== id;
  } catch {
    return true;
  }
}

async function countUncommitted(top: string, signal: AbortSignal): Promise<UncommittedChanges> {
  const list = async (...args: string[]) =>
    (await git({ args, cwd: top, signal, maxOutputBytes: 64 * 1024 * 1024 })).stdout;
  const hasHead = await git({
    args: ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'],
    cwd: top,
    signal,
    okCodes: [0, 1],
  });
  const staged =
    hasHead.exitCode === 0
      ? rawChanges(await list('diff-index', '--cached', '--raw', '-z', '--ignore-submodules=all', 'HEAD'))
          .length
      : 0;
  const candidates = rawChanges(await list('diff-files', '--raw', '-z', '--ignore-submodules=all'));
  let modified = Math.max(0, candidates.length - maxCompared);
  for (const change of candidates.slice(0, maxCompared)) {
    signal.throwIfAborted();
    const kept = change.status === 'M' && change.oldMode === change.newMode;
    if (!kept || (await differs(top, change.path, change.oldId))) modified += 1;
  }
  const others = await list('ls-files', '--others', '--exclude-standard', '--directory', '-z');
  return { staged, modified, untracked: others.filter((byte) => byte === 0).length };
}
