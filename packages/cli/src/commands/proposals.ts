import { createInterface } from 'node:readline/promises';
import { harmless, harmlessLine, type Proposal, type ProposalWithBody } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { runIdOf } from '../command-context.ts';
import { failure } from '../failure.ts';
import { colouredDiff } from '../output/diff.ts';
import { shellWord } from '../output/shell-word.ts';
import { table } from '../output/table.ts';
import { ago, duration, money } from '../output/units.ts';
import { enclosingRepository } from '../repository.ts';
import type { Session } from '../session.ts';
import { listLimit, page, type ListFlags } from './runs.ts';

/** `berth proposals`. */
export async function list(context: CommandContext, flags: ListFlags): Promise<number> {
  const limit = listLimit(flags.limit);
  return context.withSession(['api'], async (session) => {
    const { proposals } = await session.client.listProposals({
      limit,
      ...(flags.project === undefined ? {} : { project: flags.project }),
    });
    if (context.format === 'json' || context.format === 'jsonl') context.printList(proposals);
    else if (context.format === 'quiet') for (const one of proposals) context.out.write(`${one.id}\n`);
    else {
      context.out.write(proposalTable(context, proposals));
      if (proposals.length === 0) context.note('No proposal yet.');
    }
    return 0;
  });
}

function proposalTable({ out, paint }: CommandContext, proposals: readonly Proposal[]): string {
  const columns = [
    { title: 'ID' },
    { title: 'PR', side: 'right' as const },
    { title: 'STATE' },
    { title: 'VERIFIED' },
    { title: 'PROJECT' },
    { title: 'TITLE', isFlexible: true },
    { title: 'CHANGES', side: 'right' as const },
    { title: 'AGE', side: 'right' as const },
  ];
  const nowMs = Date.now();
  return table(
    out,
    paint,
    columns,
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
    ]),
  );
}

/** `berth proposals show`: the evidence before the prose. */
export async function show(context: CommandContext, _: CommonFlags, id: string | undefined): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const one = await session.client.getProposal(await proposalIdOf(session, id, context.io.cwd));
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(one);
    else if (context.format === 'quiet') context.out.write(`${one.id}\n`);
    else context.out.write(proposalPage(context, one));
    return 0;
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
export async function diff(context: CommandContext, _: CommonFlags, id: string | undefined): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const proposal = await proposalIdOf(session, id, context.io.cwd);
    const text = await session.client.proposalDiff(proposal);
    if (context.format === 'json' || context.format === 'jsonl') {
      context.printDocument({ schema: 'berth.diff/v1', proposal, diff: text });
    } else if (context.out.isTty) context.out.write(colouredDiff(harmless(text), context.paint));
    else context.out.write(text);
    return 0;
  });
}

/** `berth proposals merge`. */
export async function merge(
  context: CommandContext,
  flags: CommonFlags & { readonly yes?: boolean },
  id: string | undefined,
): Promise<number> {
  return decided(context, flags, id, 'merge');
}

/** `berth proposals close`. */
export async function close(
  context: CommandContext,
  flags: CommonFlags & { readonly yes?: boolean },
  id: string | undefined,
): Promise<number> {
  return decided(context, flags, id, 'close');
}

async function decided(
  context: CommandContext,
  flags: CommonFlags & { readonly yes?: boolean },
  id: string | undefined,
  act: 'merge' | 'close',
): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const found = await session.client.getProposal(await proposalIdOf(session, id, context.io.cwd));
    // Named in full it is meant; found by itself it is asked for.
    if (id === undefined && flags.yes !== true)
      await confirm(context, flags, `${act} "${harmlessLine(found.title)}"?`);
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

async function confirm(context: CommandContext, flags: CommonFlags, question: string): Promise<void> {
  const { io, err } = context;
  if (flags.input === false || io.stdin.isTTY !== true || !err.isTty) {
    throw failure('USAGE', 'There is nobody to ask.', 'Name the proposal, or say --yes.');
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await reader.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw failure('USAGE', 'Not confirmed; nothing was done.');
  } finally {
    reader.close();
  }
}

async function proposalIdOf(session: Session, given: string | undefined, cwd: string): Promise<string> {
  if (given !== undefined) return given;
  const project = await enclosingRepository(cwd);
  if (project !== null) {
    const newest = (await session.client.listProposals({ project, limit: 1 })).proposals[0];
    if (newest !== undefined) return newest.id;
  }
  return runIdOf(session, undefined, cwd);
}
