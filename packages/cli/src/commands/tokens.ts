import { harmlessLine, type NewToken, type Token } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { didYouMean, failure } from '../failure.ts';
import { nearest } from '../nearest.ts';
import { table } from '../output/table.ts';
import { ago } from '../output/units.ts';

export interface CreateFlags extends CommonFlags {
  readonly purpose?: string;
  readonly project: readonly string[];
  readonly permission: readonly string[];
  readonly days?: string;
  readonly serviceAccount?: string;
}

/** `berth tokens create`: the secret alone on stdout, what it can do on stderr. */
export async function create(context: CommandContext, flags: CreateFlags): Promise<number> {
  const purpose = flags.purpose ?? '';
  if (purpose === '')
    throw failure('USAGE', 'What is the token for?', 'Say it with --purpose "nightly pipeline".');
  const days = Number(flags.days ?? '30');
  if (!(days > 0 && days <= 366))
    throw failure('USAGE', 'A token lives more than 0 and at most 366 days.', 'For example --days 90.');
  return context.withSession(['api'], async (session) => {
    const answer = session.client.createToken({
      purpose,
      days,
      projects: orNull(flags.project),
      // The server knows the permissions and names them when one is not among them.
      permissions: orNull(flags.permission) as NonNullable<NewToken['permissions']> | null,
      serviceAccount: flags.serviceAccount ?? null,
    });
    const created = await answer.catch(async (error) => {
      throw (await unknownPermission(flags.permission)) ?? error;
    });
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(created);
    else {
      for (const line of created.preview) context.note(harmlessLine(line));
      context.note(`Until ${created.token.expiresAt.slice(0, 10)}. It is shown this once:`);
      context.out.write(`${created.secret}\n`);
    }
    return 0;
  });
}

/** What to say of a permission that there is not; null when all are known here. */
async function unknownPermission(given: readonly string[]): Promise<Error | null> {
  const { permissions } = await import('@berth/server/domain/access.ts');
  const known = new Set<string>(permissions);
  const odd = (orNull(given) ?? []).find((one) => !known.has(one));
  if (odd === undefined) return null;
  const near = nearest(odd, permissions);
  return failure(
    'USAGE',
    `There is no permission ${JSON.stringify(odd)}.`,
    near.length === 0 ? `One of ${permissions.join(', ')}.` : didYouMean(near),
  );
}

/** `berth tokens list`. */
export async function list(
  context: CommandContext,
  flags: CommonFlags & { readonly all?: boolean },
): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const { tokens } = await session.client.listTokens(flags.all === true);
    if (context.format === 'json' || context.format === 'jsonl') context.printList(tokens);
    else if (context.format === 'quiet') context.out.write(tokens.map(({ id }) => `${id}\n`).join(''));
    else {
      context.out.write(table(context.out, context.paint, columns, tokens.map(row)));
      if (tokens.length === 0)
        context.note('No token yet: `berth tokens create --purpose "nightly pipeline"`');
    }
    return 0;
  });
}

/** `berth tokens revoke <id>`. */
export async function revoke(
  context: CommandContext,
  _: CommonFlags,
  id: string | undefined,
): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const token = await session.client.revokeToken(id ?? '');
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(token);
    else context.note(`Revoked ${token.id} (${harmlessLine(token.purpose)}).`);
    return 0;
  });
}

const columns = [
  { title: 'ID' },
  { title: 'STATE' },
  { title: 'OWNER' },
  { title: 'PURPOSE', isFlexible: true },
  { title: 'PROJECTS' },
  { title: 'PERMISSIONS', isFlexible: true },
  { title: 'EXPIRES' },
  { title: 'LAST USED' },
];

function row(token: Token) {
  const used = token.lastUsed?.at ?? null;
  return [
    { text: token.id },
    { text: token.state, tone: token.state === 'active' ? ('good' as const) : ('dim' as const) },
    { text: harmlessLine(token.owner) },
    { text: harmlessLine(token.purpose) },
    { text: harmlessLine(token.projects?.map(({ id, name }) => name ?? id).join(',') ?? 'all') },
    { text: token.permissions?.join(',') ?? 'all' },
    { text: token.expiresAt.slice(0, 10), plain: token.expiresAt },
    { text: used === null ? 'never' : ago(used, Date.now()), plain: used ?? '' },
  ];
}

function orNull(list: readonly string[]): string[] | null {
  return list.length === 0 ? null : list.flatMap((one) => one.split(',')).filter((one) => one !== '');
}
