import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Clock } from '../domain/ports/clock.ts';
import type { AskTool } from './ecosystems.ts';

export interface RememberOptions {
  /** A directory of this account's own; made when it is missing. */
  readonly directory: string;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * How long an answer counts. What usually changes it (the tool, its environment, its configuration files) is part of
 * the question; this bounds the rest, such as a file of a virtual environment.
 */
const maxAgeMs = 60 * 60 * 1_000;
const forgottenMs = 24 * maxAgeMs;

/** Variables that a tool's answer may depend on. */
const telling = /^(npm_config_|pip_|python|pyenv_|go|virtual_env$|conda|xdg_config|path$|home$)/i;

/** Where the answers of this account's tools are remembered. */
export function answersDirectory(env: NodeJS.ProcessEnv): string {
  const cache = env['XDG_CACHE_HOME'];
  return join(cache?.startsWith('/') === true ? cache : join(homedir(), '.cache'), 'berth', 'tools');
}

/**
 * Asks a tool once an hour, not at each start: pip and npm take 2 to 3 s of processor time together, and the first
 * sandbox waits for them. An answer with credentials in it is never written down, and a file that another account
 * could have written is not believed.
 */
export function rememberAnswers(ask: AskTool, options: RememberOptions): AskTool {
  return async (file, args) => {
    const path = join(options.directory, `${await questionOf(file, args, options.env)}.json`);
    const nowMs = options.clock.nowMs();
    const known = await recall(path, nowMs);
    if (known !== null) return known;
    const answer = await ask(file, args);
    // A failure may pass by; it is asked again.
    if (answer !== null && !hasCredentials(answer)) {
      // Without a place to write, it is asked again at the next start.
      await note(path, { askedMs: nowMs, answer }).catch(() => undefined);
    }
    return answer;
  };
}

/** Everything that is known to lead to another answer, as a name; hashed, since variables hold credentials too. */
async function questionOf(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const variables = Object.entries(env)
    .filter(([name]) => telling.test(name))
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  const program = await stateOf(
    (env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, file)),
  );
  const files = await stateOf(configurationFiles(env));
  return createHash('sha256')
    .update(JSON.stringify([file, args, variables, program, files]))
    .digest('hex')
    .slice(0, 32);
}

/** Where npm, pip and go keep their settings, for everybody and for this account. */
function configurationFiles(env: NodeJS.ProcessEnv): string[] {
  const home = env['HOME'] ?? homedir();
  const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  const prefix = dirname(dirname(process.execPath));
  const named = [
    env['npm_config_userconfig'],
    env['NPM_CONFIG_USERCONFIG'],
    env['PIP_CONFIG_FILE'],
    env['GOENV'],
  ];
  return [
    join(home, '.npmrc'),
    join(prefix, 'etc/npmrc'),
    '/etc/npmrc',
    '/usr/etc/npmrc',
    '/usr/local/etc/npmrc',
    '/etc/pip.conf',
    '/etc/xdg/pip/pip.conf',
    join(home, '.pip/pip.conf'),
    join(config, 'pip/pip.conf'),
    join(home, '.pyenv/version'),
    join(config, 'go/env'),
    ...named.filter((path) => path !== undefined),
  ];
}

/** Size and time of each file that is there. */
async function stateOf(paths: readonly string[]): Promise<string[]> {
  const states = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => null);
      return found === null ? [] : [`${path} ${found.ino} ${found.size} ${found.mtimeMs}`];
    }),
  );
  return states.flat();
}

interface Note {
  readonly askedMs: number;
  readonly answer: string;
}

async function recall(path: string, nowMs: number): Promise<string | null> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const found = await file.stat();
    const own = process.getuid?.() ?? found.uid;
    if (!found.isFile() || found.uid !== own || (found.mode & 0o022) !== 0) return null;
    const { askedMs, answer } = JSON.parse(await file.readFile('utf8')) as Partial<Note>;
    if (typeof askedMs !== 'number' || typeof answer !== 'string') return null;
    return askedMs <= nowMs && nowMs - askedMs < maxAgeMs ? answer : null;
  } catch {
    return null;
  }
}

async function note(path: string, content: Note): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, JSON.stringify(content), { mode: 0o600, flag: 'wx' });
  await rename(draft, path);
  for (const name of await readdir(directory)) {
    const other = join(directory, name);
    const found = await stat(other).catch(() => null);
    if (found !== null && content.askedMs - found.mtimeMs > forgottenMs) await rm(other, { force: true });
  }
}

/** Also those of addresses without a scheme, such as a proxy's; `[user:passwd@]` stands in pip's help. */
function hasCredentials(answer: string): boolean {
  if (/@(?!\])/.test(answer)) return true;
  for (const [link] of answer.matchAll(/https?:\/\/[^\s'")]+/g)) {
    const url = URL.parse(link);
    if (url === null || url.search !== '') return true;
  }
  return false;
}
