import type { Run, RunState } from '@berth/client';
import { harmless, harmlessLine } from '@berth/client';
import { runIdOf, type CommandContext, type CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { stripCells } from '../live/panel.ts';
import { colouredDiff } from '../output/diff.ts';
import { stateWord } from '../output/marks.ts';
import { table } from '../output/table.ts';
import { ago, count, duration, money } from '../output/units.ts';

export interface ListFlags extends CommonFlags {
  readonly state?: RunState;
  readonly project?: string;
  readonly limit: string;
  readonly cursor?: string;
}

/** `berth runs`: newest first, of all projects. */
export async function list(context: CommandContext, flags: ListFlags): Promise<number> {
  const limit = listLimit(flags.limit);
  return context.withSession(['api'], async (session) => {
    const { runs, next } = await session.client.listRuns({
      limit,
      ...(flags.state === undefined ? {} : { state: flags.state }),
      ...(flags.project === undefined ? {} : { project: flags.project }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    if (context.format === 'json' || context.format === 'jsonl') context.printList(runs, next);
    else if (context.format === 'quiet') for (const run of runs) context.out.write(`${run.id}\n`);
    else {
      context.out.write(runTable(context, runs));
      if (runs.length === 0) context.note('No run yet. Start one: `berth run "fix the flaky date test"`');
      if (next !== null) context.note(`More: berth runs --cursor ${next}`);
    }
    return 0;
  });
}

function runTable({ out, paint }: CommandContext, runs: readonly Run[]): string {
  const nowMs = Date.now();
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'PROJECT' },
    { title: 'TITLE', isFlexible: true },
    { title: 'STATUS', isFlexible: true },
    { title: 'COST', side: 'right' as const },
    { title: 'AGE', side: 'right' as const },
  ];
  return table(
    out,
    paint,
    columns,
    runs.map((run) => {
      const { text, tone } = stateWord(run.status.state, out.isAscii);
      return [
        { text: run.id },
        { text, tone, plain: run.status.state },
        { text: harmlessLine(run.project) },
        { text: harmlessLine(run.title) },
        { text: harmlessLine(run.status.reason), tone: 'dim' as const },
        { text: money(run.costUsd), plain: run.costUsd.toFixed(4) },
        { text: ago(run.createdAt, nowMs).replace(' ago', ''), plain: run.createdAt },
      ];
    }),
  );
}

/** `berth show`: one run in some lines. */
export async function show(context: CommandContext, _: CommonFlags, id: string | undefined): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const run = await session.client.getRun(await runIdOf(session, id, context.io.cwd));
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(run);
    else if (context.format === 'quiet') context.out.write(`${run.id}\n`);
    else context.out.write(runPage(context, run));
    return 0;
  });
}

function runPage({ out, paint }: CommandContext, run: Run): string {
  const nowMs = Date.now();
  const { text: word, tone } = stateWord(run.status.state, out.isAscii || !out.isTty);
  const when = (at: string): string => (out.isTty ? ago(at, nowMs) : at);
  const facts: [string, string][] = [
    ['status', `${paint(tone, word)} · ${harmlessLine(run.status.reason)}`],
    ['since', when(run.status.since)],
  ];
  if (run.status.code !== null) facts.push(['code', run.status.code]);
  if (run.status.next !== null) facts.push(['next', harmlessLine(run.status.next).replaceAll('RUN', run.id)]);
  facts.push(['id', run.id], ['task', run.task], ['project', harmlessLine(run.project)]);
  if (run.base !== null)
    facts.push(['base', `${harmlessLine(run.base.ref)} ${run.base.commit.slice(0, 10)}`]);
  facts.push(['branch', harmlessLine(run.branch)]);
  const models = Object.entries(run.models).map(([slot, names]) => `${slot}: ${names.join(', ')}`);
  if (models.length > 0) facts.push(['models', models.join('; ') + (run.simulated ? ' (cassette)' : '')]);
  if (run.blueprint !== null) facts.push(['blueprint', `${run.blueprint.name} (${run.blueprint.source})`]);
  facts.push([
    'steps',
    stripCells(run, nowMs, out.isAscii, paint)
      .map((cell) => cell.painted)
      .join('  '),
  ]);
  facts.push([
    'used',
    run.limits
      .map(
        (limit) => `${limit.name} ${limitText(limit.name, limit.used)}/${limitText(limit.name, limit.cap)}`,
      )
      .join('  '),
  ]);
  if (run.changes !== null) {
    const { files, added, removed, tree } = run.changes;
    facts.push(['changes', `${files} files +${added} -${removed}, tree ${tree.slice(0, 10)}`]);
  }
  if (run.pullRequest !== null) {
    const { number, url, draft } = run.pullRequest;
    facts.push(['pull request', `#${number}${draft ? ' (draft)' : ''} ${harmlessLine(url)}`]);
  }
  const end = run.endedAt ?? null;
  const took = end === null ? '' : `, took ${duration(Date.parse(end) - Date.parse(run.createdAt))}`;
  facts.push(['created', `${when(run.createdAt)}${took}`]);
  return page(harmlessLine(run.title), facts, paint, out.isTty);
}

/** A title and facts under it; tab-separated without a TTY. */
export function page(
  title: string,
  facts: readonly (readonly [string, string])[],
  paint: CommandContext['paint'],
  isTty: boolean,
): string {
  if (!isTty) return `title\t${title}\n${facts.map(([name, value]) => `${name}\t${value}\n`).join('')}`;
  const wide = Math.max(...facts.map(([name]) => name.length));
  const body = facts.map(([name, value]) => `  ${paint('dim', name.padEnd(wide))}  ${value}\n`).join('');
  return `${paint('bold', title)}\n${body}`;
}

function limitText(name: string, value: number): string {
  if (name === 'cost') return money(value);
  if (name === 'tokens') return count(value);
  return String(Math.round(value * 10) / 10);
}

/** `berth diff`. */
export async function diff(context: CommandContext, _: CommonFlags, id: string | undefined): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const run = await runIdOf(session, id, context.io.cwd);
    const text = await session.client.runDiff(run);
    if (context.format === 'json' || context.format === 'jsonl') {
      context.printDocument({ schema: 'berth.diff/v1', run, diff: text });
    } else if (context.out.isTty) context.out.write(colouredDiff(harmless(text), context.paint));
    else context.out.write(text);
    return 0;
  });
}

/** `-n`. */
export function listLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
    throw failure(
      'USAGE',
      `--limit ${JSON.stringify(text)} is not a count.`,
      'Give a whole number, 1 to 200.',
    );
  }
  return limit;
}
