import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { localUploadPack } from './git-environment.ts';
import { asGitError } from './git-failure.ts';
import { git, gitText } from './git-process.ts';

/** Makes an empty bare repository, unless there is one. Needs the caller's lock. */
export async function createBare(
  directory: string,
  objectFormat: 'sha1' | 'sha256',
  signal: AbortSignal,
): Promise<void> {
  if (existsSync(join(directory, 'HEAD'))) return;
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
  const fresh = `${directory}.new`;
  await rm(fresh, { recursive: true, force: true });
  await git({
    args: ['init', '--quiet', '--bare', '--template=', `--object-format=${objectFormat}`, fresh],
    signal,
  });
  await rename(fresh, directory);
}

/**
 * Removes git's own lock files that a killed process left. `olderThanMs` 0 is only for a repository whose every
 * writer holds the caller's lock: then none of them can be in use.
 */
export async function removeStaleLocks(directory: string, olderThanMs: number): Promise<void> {
  const tops = ['packed-refs.lock', 'shallow.lock', 'HEAD.lock', 'config.lock'];
  const refs = await readdir(join(directory, 'refs'), { recursive: true }).catch(() => []);
  const locks = [...tops, ...refs.filter((name) => name.endsWith('.lock')).map((name) => join('refs', name))];
  await Promise.all(locks.map((name) => removeIfOld(join(directory, name), olderThanMs)));
}

/** Removes what killed processes left in a directory of temporary things. */
export async function removeAbandoned(directory: string, prefix: string, olderThanMs: number): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  await Promise.all(
    names
      .filter((name) => name.startsWith(prefix))
      .map((name) => removeIfOld(join(directory, name), olderThanMs)),
  );
}

async function removeIfOld(path: string, olderThanMs: number): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null || Date.now() - found.mtimeMs < olderThanMs) return;
  await rm(path, { recursive: true, force: true });
}

/** The commit a name stands for, or null. `name` is a full ref name or an object id, never text of others. */
export async function commitAt(directory: string, name: string, signal: AbortSignal): Promise<string | null> {
  const found = await git({
    args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
    cwd: directory,
    signal,
    okCodes: [0, 1, 128],
  });
  const text = found.stdout.toString('latin1').trim();
  return found.exitCode === 0 && /^[0-9a-f]{40,64}$/.test(text) ? text : null;
}

/** Whether `older` is `newer` or one of its ancestors. */
export async function isAncestor(
  directory: string,
  older: string,
  newer: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { exitCode } = await git({
    args: ['merge-base', '--is-ancestor', older, newer],
    cwd: directory,
    signal,
    okCodes: [0, 1],
  });
  return exitCode === 0;
}

/** Copies refs of one bare repository of ours into another. */
export async function fetchLocally(
  from: string,
  to: string,
  refspecs: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await git({
    args: [
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-auto-maintenance',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--update-shallow',
      `--upload-pack=${localUploadPack}`,
      '--',
      from,
      ...refspecs,
    ],
    cwd: to,
    transport: 'file',
    signal,
    timeoutMs: 5 * 60_000,
  }).catch((error: unknown) => {
    throw asGitError(error, from);
  });
}

/** Moves a ref from `before` (null: it must not exist) to `after`. @returns false when it was elsewhere */
export async function moveRef(
  directory: string,
  ref: string,
  after: string,
  before: string | null,
  signal: AbortSignal,
): Promise<boolean> {
  const zero = '0'.repeat(after.length);
  const { exitCode } = await git({
    args: ['update-ref', ref, after, before ?? zero],
    cwd: directory,
    signal,
    okCodes: [0, 128],
  });
  return exitCode === 0;
}

/** How many hex digits the ids of a repository have, as git calls it. */
export async function objectFormat(directory: string, signal: AbortSignal): Promise<'sha1' | 'sha256'> {
  return (await gitText({ args: ['rev-parse', '--show-object-format'], cwd: directory, signal })) === 'sha256'
    ? 'sha256'
    : 'sha1';
}

/** Points HEAD of a bare repository at a branch. */
export async function setHead(directory: string, branch: string): Promise<void> {
  await writeFile(join(directory, 'HEAD'), `ref: refs/heads/${branch}\n`);
}
