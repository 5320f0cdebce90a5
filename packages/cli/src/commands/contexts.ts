import { harmlessLine } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { didYouMean, failure } from '../failure.ts';
import { nearest } from '../nearest.ts';
import { table } from '../output/table.ts';
import { localName, readContexts, writeContexts, type Contexts } from '../remote/contexts.ts';

/** `berth context list`: never shows a token. */
export async function list(context: CommandContext): Promise<number> {
  const { current, contexts } = await readContexts(context.io.env);
  const items = [
    {
      name: localName,
      server: 'the data directory',
      principal: null as string | null,
      isCurrent: current === null,
    },
    ...Object.entries(contexts).map(([name, { server, principal }]) => ({
      name,
      server,
      principal,
      isCurrent: current === name,
    })),
  ];
  if (context.format === 'json' || context.format === 'jsonl') context.printList(items);
  else if (context.format === 'quiet') context.out.write(items.map(({ name }) => `${name}\n`).join(''));
  else {
    const columns = [{ title: '' }, { title: 'NAME' }, { title: 'SERVER' }, { title: 'AS' }];
    const rows = items.map(({ name, server, principal, isCurrent }) => [
      { text: isCurrent ? '*' : ' ' },
      { text: harmlessLine(name) },
      { text: harmlessLine(server) },
      { text: harmlessLine(principal ?? '-') },
    ]);
    context.out.write(table(context.out, context.paint, columns, rows));
  }
  return 0;
}

/** `berth context use <name>`. */
export async function use(
  context: CommandContext,
  _: CommonFlags,
  name: string | undefined,
): Promise<number> {
  const saved = await readContexts(context.io.env);
  const chosen = name === localName ? null : known(saved, name);
  await writeContexts(context.io.env, { ...saved, current: chosen });
  context.note(
    `Commands speak to ${chosen === null ? 'the server of the data directory' : chosen} from now on.`,
  );
  return 0;
}

/** `berth context remove <name>`. */
export async function remove(
  context: CommandContext,
  _: CommonFlags,
  name: string | undefined,
): Promise<number> {
  const saved = await readContexts(context.io.env);
  const gone = known(saved, name);
  const contexts = Object.fromEntries(Object.entries(saved.contexts).filter(([one]) => one !== gone));
  await writeContexts(context.io.env, { current: saved.current === gone ? null : saved.current, contexts });
  return 0;
}

function known({ contexts }: Contexts, name = ''): string {
  if (Object.hasOwn(contexts, name)) return name;
  const near = nearest(name, Object.keys(contexts));
  throw failure(
    'NOT_FOUND',
    `There is no context ${name}.`,
    near.length === 0 ? 'See `berth context list`.' : didYouMean(near),
  );
}
