import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
  /** The top of the working copy, or the bare repository. */
  readonly path: string;
  readonly gitDirectory: string;
  /** The same for all worktrees of one repository. */
  readonly commonDirectory: string;
  readonly bare: boolean;
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
 * Finds the repository that holds `path`: a subdirectory, a linked worktree and a bare repository are all fine.
 *
 * @throws BerthError `REPO_NOT_FOUND`, `REPO_NOT_A_REPOSITORY`, `REPO_PERMISSION_DENIED`
 */
export async function findLocalSource(path: string, signal: AbortSignal): Promise<LocalSource> {
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
    const gitDirectory = await ask('--git-dir');
    const bare = (await ask('--is-inside-work-tree')) !== 'true';
    return { path: bare ? gitDirectory : await ask('--show-toplevel'), gitDirectory, commonDirectory, bare };
  } catch (error) {
    throw 'code' in (error as object) && !(error instanceof BerthError)
      ? pathError(error, path)
      : asGitError(error, path);
  }
}

/**
 * Makes `directory` a bare repository of our own with the source's refs and, as alternates, its objects. Git
 * then reads the source without its configuration, whose hooks, filters, monitors and lazy fetches could
 * execute anything. Nothing is written to the source; its refs alone are listed with its configuration, by
 * commands that read no objects.
 */
export async function makeShadow(source: LocalSource, directory: string, signal: AbortSignal): Promise<void> {
  const cwd = source.gitDirectory;
  const at = [`--git-dir=${source.gitDirectory}`];
  const format = await gitText({ args: [...at, 'rev-parse', '--show-object-format'], cwd, signal });
  await git({
    args: [
      'init',
      '--quiet',
      '--bare',
      '--template=',
      `--object-format=${format === 'sha256' ? 'sha256' : 'sha1'}`,
      directory,
    ],
    signal,
  });
  await mkdir(join(directory, 'objects/info'), { recursive: true });
  await writeFile(
    join(directory, 'objects/info/alternates'),
    `${JSON.stringify(join(source.commonDirectory, 'objects'))}\n`,
  );
  await copyFile(join(source.commonDirectory, 'shallow'), join(directory, 'shallow')).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    },
  );
  const listed = await gitText({
    args: [...at, 'show-ref', '--head'],
    cwd,
    signal,
    okCodes: [0, 1],
    maxOutputBytes: 256 * 1024 * 1024,
  });
  const refs = listed
    .split('\n')
    .filter((line) => /^[0-9a-f]{40,64} refs\/(?:heads|tags|remotes)\/[^\s]+$/.test(line));
  await writeFile(join(directory, 'packed-refs'), refs.map((line) => `${line}\n`).join(''));
  const head = await git({ args: [...at, 'symbolic-ref', '--quiet', 'HEAD'], cwd, signal, okCodes: [0, 1] });
  const branch = head.stdout.toString('utf8').trim();
  const detached = /^([0-9a-f]{40,64}) HEAD$/m.exec(listed)?.[1];
  if (head.exitCode === 0) await writeFile(join(directory, 'HEAD'), `ref: ${branch}\n`);
  else if (detached !== undefined) await writeFile(join(directory, 'HEAD'), `${detached}\n`);
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

/** Counts what a working copy holds beyond its last commit, through its shadow. Null for a bare repository. */
export async function countUncommitted(
  source: LocalSource,
  shadow: string,
  signal: AbortSignal,
): Promise<UncommittedChanges | null> {
  if (source.bare) return null;
  const env = {
    GIT_DIR: shadow,
    GIT_WORK_TREE: source.path,
    GIT_INDEX_FILE: join(source.gitDirectory, 'index'),
  };
  const list = async (...args: string[]) =>
    (await git({ args, cwd: source.path, env, signal, maxOutputBytes: 64 * 1024 * 1024 })).stdout;
  const head = await git({
    args: ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'],
    cwd: shadow,
    signal,
    okCodes: [0, 1, 128],
  });
  const staged =
    head.exitCode === 0
      ? rawChanges(
          await list(
            'diff-index',
            '--cached',
            '--raw',
            '-z',
            '--no-abbrev',
            '--ignore-submodules=all',
            'HEAD',
          ),
        ).length
      : 0;
  const candidates = rawChanges(
    await list('diff-files', '--raw', '-z', '--no-abbrev', '--ignore-submodules=all'),
  );
  let modified = Math.max(0, candidates.length - maxCompared);
  for (const change of candidates.slice(0, maxCompared)) {
    signal.throwIfAborted();
    const kept = change.status === 'M' && change.oldMode === change.newMode;
    if (!kept || (await differs(source.path, change.path, change.oldId))) modified += 1;
  }
  const others = await list('ls-files', '--others', '--exclude-standard', '--directory', '-z');
  return { staged, modified, untracked: others.filter((byte) => byte === 0).length };
}
