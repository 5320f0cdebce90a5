import { realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { failure } from './failure.ts';

/**
 * The repository as the server wants it: a URL as given, or the absolute path of a repository's top directory.
 * Only looks; whether git can use it is the server's to find out.
 * @throws ApiFailure `REPO_NOT_FOUND`
 */
export async function repositoryOf(given: string | undefined, cwd: string): Promise<string> {
  if (given !== undefined && isUrl(given)) return given;
  const start = resolve(cwd, (given ?? '.').replace(/^~(?=\/|$)/, homedir()));
  const top = await topOf(start, given === undefined);
  if (top !== null) return realpath(top);
  if (given === undefined) {
    throw failure(
      'REPO_NOT_FOUND',
      `${start} is not inside a git repository.`,
      'Change into one, or name one with --repo PATH or --repo URL.',
    );
  }
  throw failure('REPO_NOT_FOUND', `There is no git repository at ${start}.`);
}

/** The repository that encloses `cwd`, or null: for commands that only take it as a default. */
export async function enclosingRepository(cwd: string): Promise<string | null> {
  const top = await topOf(resolve(cwd), true);
  return top === null ? null : realpath(top);
}

/** `scheme://…`, or what ssh understands: `git@host:path`, never a Windows drive or a path with a colon in it. */
export function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^[\w.-]+@[\w.-]+:(?!\/\/)\S+$/.test(text);
}

async function topOf(start: string, isUpward: boolean): Promise<string | null> {
  for (let place = start; ; place = dirname(place)) {
    if ((await exists(join(place, '.git'))) || (await isBare(place))) return place;
    if (place === dirname(place)) return null;
    // A path that was named is the repository or lies inside it, when it exists at all.
    if (!isUpward && !(await exists(start))) return null;
  }
}

async function isBare(path: string): Promise<boolean> {
  return (
    (await exists(join(path, 'HEAD'))) &&
    (await exists(join(path, 'objects'))) &&
    (await exists(join(path, 'refs')))
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
