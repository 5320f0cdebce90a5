import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { failure } from '../failure.ts';
import type { Io } from '../io.ts';
import { isUrl } from '../repository.ts';

const run = promisify(execFile);

/**
 * Where a repository of this machine came from: the URL of its remote `origin`, or of its only one, without any
 * credential in it.
 * @throws ApiFailure `REPO_WITHOUT_REMOTE`
 */
export async function remoteUrlOf(path: string, env: Io['env']): Promise<string> {
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('git', ['-C', path, ...args], { env: { ...env, LC_ALL: 'C' } });
    return stdout.trim();
  };
  const names = (await git('remote').catch(() => '')).split('\n').filter((name) => name !== '');
  const name = names.includes('origin') ? 'origin' : names.length === 1 ? names[0] : undefined;
  const url = name === undefined ? '' : await git('remote', 'get-url', name).catch(() => '');
  if (isUrl(url) && !/^file:/i.test(url)) return withoutCredentials(url);
  const why =
    names.length === 0
      ? `${path} has no remote.`
      : name === undefined
        ? `${path} has several remotes, and none of them is called origin.`
        : `The remote ${name} of ${path} is a path of this machine.`;
  throw failure('REPO_WITHOUT_REMOTE', `${why} A server elsewhere cannot read it.`);
}

/** A password or token in the URL is this machine's and stays here; a name before the host of ssh is kept. */
function withoutCredentials(url: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return url;
  const parsed = new URL(url);
  parsed.password = '';
  if (/^https?:$/.test(parsed.protocol)) parsed.username = '';
  return parsed.href;
}
