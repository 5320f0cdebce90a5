import { harmless, harmlessLine, type Proposal, type ProposalWithBody } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { present, type PresentFlags } from '../present.ts';
import { projectHere, runIdOf } from '../run-id.ts';
import { shellWord } from '../output/shell-word.ts';
import { table } from '../output/table.ts';
import { ago, duration, money } from '../output/units.ts';
import type { Session } from '../session.ts';
import { diffShown, listLimit, page, type ListFlags } from './runs.ts';

/** `berth proposals`. */
export async function list(context: CommandContext, flags: ListFlags): Promise<number> {
  const limit = listLimit(flags.limit);
  return present(context, flags, async (session) => {
    const { proposals } = await session.client.listProposals({
      limit,
      ...(flags.project === undefined ? {} : { project: flags.project }),
    });
    return {
      items: proposals,
      next: null,
      ids: proposals.map((one) => one.id),
      text: proposalTable(context, proposals, flags.output === 'wide'),
      notes: proposals.length === 0 ? ['No proposal yet.'] : [],
    };
  });
}

function proposalTable(
  { out, paint }: CommandContext,
  proposals: readonly Proposal[],
  isWide: boolean,
): string {
  const columns = [
    { title: 'ID' },
    { title: 'PR', side: 'right' as const },
    { title: 'STATE' },
    { title: 'VERIFIED' },
    { title: 'PROJECT' },
    { title: 'TITLE', isFlexible: true },
    { title: 'CHANGES', side: 'right' as const },
    { title: 'AGE', side: 'right' as const },
    ...(isWide ? ['COST', 'BASE', 'BRANCH', 'TREE', 'URL'].map((title) => ({ title })) : []),
  ];
  const nowMs = Date.now();
  return table(
    out,
    paint,
    isWide ? columns.map((column) => ({ ...column, isFlexible: false })) : columns,
    proposals.map((one) => [
      { text: one.id },
      { text: one.pr === null ? '-' : `#${one.pr.number}`, plain: String(one.pr?.number ?? '') },
      { text: one.pr?.state ?? 'no PR', plain: one.pr?.state ?? '' },
      one.verified
        ? { text: 'verified', tone: 'good' as const }
        : { text: 'NOT', tone: 'bad' as const, plain: 'not' },
      { text: harmlessLine(one.project) },
      { text: harmlessLine(one.title) },
      { text: `+${one.diffstat.added} -${one.diffstat.removed}` },
      { text: ago(one.createdAt, nowMs).replace(' ago', ''), plain: one.createdAt },
      ...(isWide
        ? [
            { text: money(one.costUsd), plain: one.costUsd.toFixed(4) },
            { text: harmlessLine(one.base.ref) },
            { text: harmlessLine(one.branch) },
            { text: one.tree.slice(0, 10), plain: one.tree },
            { text: harmlessLine(one.pr?.url ?? '-'), plain: harmlessLine(one.pr?.url ?? '') },
          ]
        : []),
    ]),
  );
}

/** `berth proposals show`: the evidence before the prose. */
export async function show(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  return present(context, flags, async (session) => {
    const one = await session.client.getProposal(await proposalIdOf(session, flags, id, context.io.cwd));
    return { document: one, ids: [one.id], text: proposalPage(context, one) };
  });
}

function proposalPage({ out, paint }: CommandContext, one: ProposalWithBody): string {
  const pushed =
    one.pushedTree === null
      ? 'not pushed'
      : one.pushedTree === one.tree
        ? 'is the pushed tree'
        : 'DIFFERS from the pushed tree';
  const facts: [string, string][] = [
    ['state', one.pr === null ? 'no pull request' : `${one.pr.state}, pull request #${one.pr.number}`],
    [
      'verified',
      one.verified ? paint('good', 'yes, in a fresh sandbox on exactly this tree') : paint('bad', 'NO'),
    ],
    ['tree', `${one.tree} (${pushed})`],
    ['commit', one.commit],
    ['base', `${harmlessLine(one.base.ref)} ${one.base.commit}`],
    ['branch', harmlessLine(one.branch)],
    ['changes', `${one.diffstat.files} files +${one.diffstat.added} -${one.diffstat.removed}`],
    ['cost', `${money(one.costUsd)}${one.simulated ? ' (a cassette stood in for the model)' : ''}`],
    ['run', one.run],
  ];
  if (one.pr !== null) facts.push(['url', harmlessLine(one.pr.url)]);
  if (one.pr?.mergedAs != null) facts.push(['merged as', one.pr.mergedAs]);
  const checks = table(
    out,
    paint,
    [
      { title: 'CHECK' },
      { title: 'WHERE' },
      { title: 'VERDICT' },
      { title: 'EXIT', side: 'right' },
      { title: 'TIME', side: 'right' },
      { title: 'COMMAND', isFlexible: true },
    ],
    one.checks.map((check) => [
      { text: harmlessLine(check.name) },
      { text: check.where },
      { text: check.verdict, tone: check.verdict === 'failed' ? ('bad' as const) : ('good' as const) },
      { text: String(check.exitCode ?? '-') },
      { text: duration(check.durationMs), plain: String(check.durationMs) },
      { text: harmlessLine(check.command) },
    ]),
  );
  const body = harmless(one.body).trim();
  return `${page(harmlessLine(one.title), facts, paint, out.isTty)}\n${checks}\n${body}\n`;
}

/** `berth proposals diff`. */
export async function diff(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  return present(context, flags, async (session) => {
    const proposal = await proposalIdOf(session, flags, id, context.io.cwd);
    return diffShown(context, { proposal }, await session.client.proposalDiff(proposal));
  });
}

/** `berth proposals merge`. */
export async function merge(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
): Promise<number> {
  return decided(context, flags, id, 'merge');
}

/** `berth proposals close`. */
export async function close(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
): Promise<number> {
  return decided(context, flags, id, 'close');
}

async function decided(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
  act: 'merge' | 'close',
): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const found = await session.client.getProposal(
      await proposalIdOf(session, flags, id, context.io.cwd, true),
    );
    // Found by itself it is asked for; closing is asked for wherever somebody can be asked.
    if (flags.yes !== true && (id === undefined || (act === 'close' && context.mayAsk))) {
      await confirm(context, `${act === 'merge' ? 'Merge' : 'Close'} "${harmlessLine(found.title)}"?`);
    }
    const one =
      act === 'merge'
        ? await session.client.mergeProposal(found.id)
        : await session.client.closeProposal(found.id);
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(one);
    else context.out.write(`${one.pr?.mergedAs ?? one.id}\n`);
    for (const line of decidedLines(one, act)) context.note(line);
    return 0;
  });
}

/** What was done, and how its result gets to where one works. */
function decidedLines(one: Proposal, act: 'merge' | 'close'): string[] {
  const number = one.pr === null ? '' : `#${one.pr.number} `;
  const what = `${number}"${harmlessLine(one.title)}"`;
  if (act === 'close') return [`Closed ${what}; the branch ${harmlessLine(one.branch)} is kept.`];
  const base = shellWord(one.base.ref);
  const from = one.pr?.cloneUrl ?? null;
  const isPath = one.repository.startsWith('/');
  const git = isPath ? `git -C ${shellWord(one.repository)} pull` : 'git pull';
  const into = isPath ? '' : `   (in your clone of ${harmlessLine(one.repository)}, on ${base})`;
  return [
    `Merged ${what} into ${base}.`,
    `  next: ${git}${from === null ? '' : ` ${shellWord(from)} ${base}`}${into}`,
  ];
}

/** The proposal that is meant; without a word the newest, or with `isOpen` the newest that nobody has decided about. */
async function proposalIdOf(
  session: Session,
  { last }: CommonFlags,
  id: string | undefined,
  cwd: string,
  isOpen = false,
): Promise<string> {
  if (id === undefined && last !== true) {
    const project = await projectHere(session, cwd);
    const query = { limit: 30, ...(project === null ? {} : { project }) };
    const { proposals } = await session.client.listProposals(query);
    const undecided = proposals.find((one) => one.pr?.state === 'open' || one.pr?.state === 'draft');
    const newest = (isOpen ? undecided : undefined) ?? proposals[0];
    if (newest !== undefined) return newest.id;
  }
  return runIdOf(session, { id, last, cwd });
}
