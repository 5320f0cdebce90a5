import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createClient, harmlessLine } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { contextsPath, localName, readContexts, writeContexts, type Context } from '../remote/contexts.ts';
import { askHidden } from '../remote/hidden-prompt.ts';
import { originOf } from '../remote/remote.ts';
import { whoAmI } from '../remote/who-am-i.ts';

export interface LoginFlags extends CommonFlags {
  readonly tokenStdin?: boolean;
  readonly tokenFile?: string;
  readonly name?: string;
}

/** `berth login`: keeps a token for a server, after the server has taken it. */
export async function login(context: CommandContext, flags: LoginFlags): Promise<number> {
  const { io } = context;
  const given = flags.server ?? io.env['BERTH_SERVER'] ?? '';
  if (given === '' || given === localName) {
    throw failure(
      'USAGE',
      'Which server? The one of the data directory needs no token.',
      'Name it: `berth login --server https://berth.example.org`.',
    );
  }
  const saved = await readContexts(io.env);
  const known = Object.hasOwn(saved.contexts, given) ? saved.contexts[given] : undefined;
  const server = known?.server ?? originOf(given);
  const name = flags.name ?? (known === undefined ? new URL(server).host : given);
  if (name === localName || !/^[A-Za-z0-9._:[\]-]{1,100}$/.test(name)) {
    throw failure('USAGE', `A context cannot be called ${JSON.stringify(name)}.`);
  }
  const insecureHttp = flags.insecureHttp === true || known?.insecureHttp === true;
  // Before anything is asked: a token must not even be typed for a way that is not safe.
  const address = { url: server, token: null, isInsecureAllowed: insecureHttp };
  await createClient(address).ready(AbortSignal.timeout(15_000));
  const token = await tokenFrom(context, flags, server);
  const me = await whoAmI(createClient({ ...address, token }));
  const one: Context = { server, token, principal: me.id, insecureHttp };
  await writeContexts(io.env, { current: name, contexts: { ...saved.contexts, [name]: one } });
  if (context.format === 'json' || context.format === 'jsonl') {
    context.printDocument({ context: name, server, principal: me.id });
  } else {
    const who = me.id === null ? '' : ` as ${harmlessLine(me.id)}`;
    context.note(`Signed in to ${server}${who}. Kept in ${contextsPath(io.env)} as ${name}.`);
  }
  return 0;
}

async function tokenFrom(context: CommandContext, flags: LoginFlags, server: string): Promise<string> {
  if (flags.tokenStdin === true && flags.tokenFile !== undefined) {
    throw failure('USAGE', 'The token comes from standard input or from a file, not from both.');
  }
  const { io } = context;
  let text: string;
  if (flags.tokenStdin === true) {
    const pieces: Uint8Array[] = [];
    for await (const piece of io.stdin) pieces.push(piece);
    text = Buffer.concat(pieces).toString('utf8');
  } else if (flags.tokenFile !== undefined) {
    text = await readFile(resolve(io.cwd, flags.tokenFile), 'utf8').catch(() => {
      throw failure('FILE_UNREADABLE', `${flags.tokenFile ?? ''} cannot be read.`);
    });
  } else text = await askHidden(context, `Token for ${server} (it does not show): `);
  const token = text.trim();
  if (!/^[\x21-\x7e]{8,500}$/.test(token)) {
    throw failure('USAGE', 'That is no token.', 'One begins with berth_ and has no space in it.');
  }
  return token;
}

/** `berth logout`: forgets the token of the server in use, or of all; with --revoke it ends there as well. */
export async function logout(
  context: CommandContext,
  flags: CommonFlags & { readonly all?: boolean; readonly revoke?: boolean },
): Promise<number> {
  const { io } = context;
  const saved = await readContexts(io.env);
  const remote = flags.all === true ? null : await context.remote();
  const names = flags.all === true ? Object.keys(saved.contexts) : [remote?.context ?? ''];
  const gone = names.filter((name) => Object.hasOwn(saved.contexts, name));
  if (gone.length === 0)
    throw failure('NOT_SIGNED_IN', 'No token is kept for this server.', 'See `berth context list`.');
  const contexts = Object.fromEntries(
    Object.entries(saved.contexts).filter(([name]) => !gone.includes(name)),
  );
  if (flags.revoke === true) {
    for (const name of gone) {
      const one = saved.contexts[name];
      const id = /^berth_([0-9a-z]+)_/.exec(one?.token ?? '')?.[1];
      if (one === undefined || id === undefined) continue;
      const client = createClient({ url: one.server, token: one.token, isInsecureAllowed: one.insecureHttp });
      await client.revokeToken(`k-${id}`);
    }
  }
  const isCurrentGone = saved.current !== null && gone.includes(saved.current);
  await writeContexts(io.env, { current: isCurrentGone ? null : saved.current, contexts });
  const still = flags.revoke === true ? '' : ' The token itself still holds: `berth tokens revoke` ends it.';
  context.note(`Forgot ${gone.join(', ')}.${still}`);
  return 0;
}

/** `berth whoami`. */
export async function whoami(context: CommandContext): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const remote = await context.remote();
    if (remote !== null && remote.token === null) {
      throw failure(
        'NOT_SIGNED_IN',
        `No token is kept for ${remote.url}.`,
        `berth login --server ${remote.url}`,
      );
    }
    const me = await whoAmI(session.client);
    const server = remote?.url ?? localName;
    if (context.format === 'json' || context.format === 'jsonl') {
      context.printDocument({ server, context: remote?.context ?? null, ...me });
    } else {
      const who = me.id ?? (remote === null ? 'the account of this machine' : 'known to it, by a token');
      context.out.write(
        context.format === 'quiet' ? `${me.id ?? ''}\n` : `${harmlessLine(who)} at ${server}\n`,
      );
    }
    return 0;
  });
}
