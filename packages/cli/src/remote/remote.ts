import { failure } from '../failure.ts';
import type { Io } from '../io.ts';
import type { Contexts } from './contexts.ts';

/** A server elsewhere, as a command uses it. */
export interface Remote {
  /** Scheme, host and port. */
  readonly url: string;
  readonly token: string | null;
  readonly isInsecureAllowed: boolean;
  /** Name of the saved context it comes from; null: flags or environment. */
  readonly context: string | null;
}

export interface RemoteFlags {
  readonly server?: string;
  readonly insecureHttp?: boolean;
}

/**
 * Which server a command is about: `--server`, else `BERTH_SERVER`, else the context in use, else (null) that of the
 * data directory; `local` names the latter.
 * @throws ApiFailure `USAGE`, `CREDENTIALS_UNSAFE`
 */
export async function remoteOf(io: Pick<Io, 'env'>, flags: RemoteFlags): Promise<Remote | null> {
  const { env } = io;
  const given = flags.server ?? set(env['BERTH_SERVER']);
  if (given === 'local') return null;
  const { contextsPath, readContexts } = await import('./contexts.ts');
  if (given === undefined) {
    // Most commands on one machine have no such file: nothing of YAML is read for them.
    const { existsSync } = await import('node:fs');
    if (!existsSync(contextsPath(env))) return null;
  }
  return choose(await readContexts(env), given, env, flags);
}

/** Pure. */
export function choose(
  saved: Contexts,
  given: string | undefined,
  env: Io['env'],
  flags: RemoteFlags,
): Remote | null {
  const isInsecureAllowed = flags.insecureHttp === true;
  if (given === undefined || Object.hasOwn(saved.contexts, given)) {
    const name = given ?? saved.current;
    if (name === null) return null;
    const context = Object.hasOwn(saved.contexts, name) ? saved.contexts[name] : undefined;
    if (context === undefined) {
      throw failure('USAGE', `There is no context ${name}.`, 'See `berth context list`.');
    }
    return {
      url: context.server,
      token: context.token,
      isInsecureAllowed: isInsecureAllowed || context.insecureHttp,
      context: name,
    };
  }
  const url = originOf(given);
  const token = tokenFor(url, env);
  if (token !== null) return { url, token, isInsecureAllowed, context: null };
  const entry = Object.entries(saved.contexts).find(([, one]) => one.server === url);
  return {
    url,
    token: entry?.[1].token ?? null,
    isInsecureAllowed: isInsecureAllowed || entry?.[1].insecureHttp === true,
    context: entry?.[0] ?? null,
  };
}

/** `BERTH_TOKEN` is for `BERTH_SERVER` where both are set: to another server it does not go. */
function tokenFor(url: string, env: Io['env']): string | null {
  const token = set(env['BERTH_TOKEN']);
  if (token === undefined) return null;
  const server = set(env['BERTH_SERVER']);
  if (server !== undefined && server !== 'local' && (!URL.canParse(server) || originOf(server) !== url))
    return null;
  return token;
}

/**
 * Scheme, host and port of what somebody gave as a server.
 * @throws ApiFailure `USAGE`
 */
export function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw failure(
      'USAGE',
      `${JSON.stringify(text)} is no server's address.`,
      'Give one such as https://berth.example.org, the name of a context, or local.',
    );
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw failure('USAGE', `The address ${text} has more than a host and a port.`, `Give ${url.origin}.`);
  }
  return url.origin;
}

function set(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
