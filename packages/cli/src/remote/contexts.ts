import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { failure } from '../failure.ts';
import type { Io } from '../io.ts';

/** A server elsewhere, with what signs in there. */
export interface Context {
  readonly server: string;
  readonly token: string;
  /** Who that is, as the server said when it was saved. */
  readonly principal: string | null;
  readonly insecureHttp: boolean;
}

export interface Contexts {
  /** Name of the one that counts where nothing else is said; null: the server of the data directory. */
  readonly current: string | null;
  readonly contexts: Readonly<Record<string, Context>>;
}

/** What `berth context use` and `--server` call the server of the data directory. */
export const localName = 'local';
const none: Contexts = { current: null, contexts: {} };

/** `$XDG_CONFIG_HOME/berth/config.yaml`, or `~/.config/berth/config.yaml`. */
export function contextsPath(env: Io['env']): string {
  const given = env['XDG_CONFIG_HOME'] ?? '';
  const home = env['HOME'] ?? '';
  const base = given === '' ? join(home === '' ? homedir() : home, '.config') : given;
  return join(base, 'berth', 'config.yaml');
}

/**
 * The saved servers; none where there is no file.
 * @throws ApiFailure `CREDENTIALS_UNSAFE` when others can read the file, `USAGE` when it cannot be understood
 */
export async function readContexts(env: Io['env']): Promise<Contexts> {
  const path = contextsPath(env);
  const stat = await lstat(path).catch(() => null);
  if (stat === null) return none;
  if (!stat.isFile() || (stat.mode & 0o077) !== 0 || stat.uid !== process.getuid?.()) {
    throw failure('CREDENTIALS_UNSAFE', `${path} holds tokens and is not yours alone.`, `chmod 600 ${path}`);
  }
  const text = await readFile(path, 'utf8');
  try {
    return checked(parse(text) as unknown);
  } catch {
    throw failure('USAGE', `${path} cannot be understood.`, 'Correct it, or remove it and sign in again.');
  }
}

/** Replaces the file in one step; nobody else can read it at any moment. */
export async function writeContexts(env: Io['env'], contexts: Contexts): Promise<void> {
  const path = contextsPath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const own = `${path}.${randomBytes(4).toString('hex')}`;
  const file = await open(own, 'wx', 0o600);
  try {
    await file.writeFile(stringify(contexts));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(own, path).catch(async (error: unknown) => {
    await rm(own, { force: true });
    throw error;
  });
}

function checked(value: unknown): Contexts {
  if (value === null) return none;
  const { current = null, contexts = {} } = value as { current?: unknown; contexts?: unknown };
  if (current !== null && typeof current !== 'string') throw new Error('current');
  const known: Record<string, Context> = Object.create(null) as Record<string, Context>;
  for (const [name, one] of Object.entries(contexts as Record<string, Partial<Context>>)) {
    if (typeof one.server !== 'string' || typeof one.token !== 'string') throw new Error(name);
    known[name] = {
      server: new URL(one.server).origin,
      token: one.token,
      principal: typeof one.principal === 'string' ? one.principal : null,
      insecureHttp: one.insecureHttp === true,
    };
  }
  return { current: current === localName ? null : current, contexts: known };
}
