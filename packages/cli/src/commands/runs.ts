import type { Run, RunRow, RunState } from '@berth/client';
import { harmless, harmlessLine } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { runIdOf } from '../run-id.ts';
import { isEnded } from '../exit-codes.ts';
import { failure } from '../failure.ts';
import { present, type PresentFlags, type Shown } from '../present.ts';
import { stripCells } from '../live/panel.ts';
import { colouredDiff } from '../output/diff.ts';
import { stateWord } from '../output/marks.ts';
import { table } from '../output/table.ts';
import { ago, count, duration, money } from '../output/units.ts';

export interface ListFlags extends PresentFlags {
  readonly output?: 'wide';
  readonly state?: RunState;
  /** `status:failed by:me age:<7d`; the server reads it. */
  readonly filter?: string;
  readonly project?: string;
  readonly limit: string;
  readonly cursor?: string;
}

/** `berth runs`: newest first, of all projects. */
export async function list(context: CommandContext, flags: ListFlags): Promise<number> {
  const limit = listLimit(flags.limit);
  return present(context, flags, async (session) => {
    const { runs, next } = await session.client.listRuns({
      limit,
      ...(flags.filter === undefined ? {} : { q: flags.filter }),
      ...(flags.state === undefined ? {} : { state: flags.state }),
      ...(flags.project === undefined ? {} : { project: flags.project }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    const empty = 'No run yet. Start one: `berth run "fix the flaky date test"`';
    return {
      items: runs,
      next,
      ids: runs.map((run) => run.id),
      text: runTable(context, runs, flags.output === 'wide'),
      notes: [
        ...(runs.length === 0 ? [empty] : []),
        ...(next === null ? [] : [`More: berth runs --cursor ${next}`]),
      ],
    };
  });
}

function runTable({ out, paint }: CommandContext, runs: readonly RunRow[], isWide: boolean): string {
  const nowMs = Date.now();
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'PROJECT' },
    { title: 'TITLE', isFlexible: true },
    { title: 'STATUS', isFlexible: true },
    { title: 'COST', side: 'right' as const },
    { title: 'AGE', side: 'right' as const },
    ...(isWide ? wideColumns.map((title) => ({ title })) : []),
  ];
  return table(
    out,
    paint,
    isWide ? columns.map((column) => ({ ...column, isFlexible: false })) : columns,
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
        ...(isWide ? wideCells(run) : []),
      ];
    }),
  );
}

/** What `-o wide` adds. */
const wideColumns = ['CODE', 'STEP', 'TOKENS', 'ATTEMPT', 'BRANCH', 'PULL REQUEST'];

function wideCells(run: RunRow): { text: string; plain?: string }[] {
  const tokens = run.tokens.in + run.tokens.out;
  const cell = (text: string | null): { text: string; plain: string } => ({
    text: text ?? '-',
    plain: text ?? '',
  });
  return [
    cell(run.status.code),
    cell(run.status.step === null ? null : harmlessLine(run.status.step)),
    { text: count(tokens), plain: String(tokens) },
    cell(String(run.attempt)),
    cell(harmlessLine(run.branch)),
    cell(run.pullRequest === null ? null : harmlessLine(run.pullRequest.url)),
  ];
}

/** `berth show`: one run in some lines. */
export async function show(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  return present(context, flags, async (session) => {
    const which = { id, last: flags.last, cwd: context.io.cwd };
    const run = await session.client.getRun(await runIdOf(session, which));
    return {
      document: run,
      ids: [run.id],
      text: runPage(context, run),
      isOver: isEnded(run.status.state),
    };
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
  if (run.gate !== null) {
    for (const { code, sentence } of run.gate.objections)
      facts.push(['objection', `${code} ${harmlessLine(sentence)}`]);
  }
  if (run.status.next !== null) facts.push(['next', harmlessLine(run.status.next).replaceAll('RUN', run.id)]);
  facts.push(['id', run.id], ['task', run.task], ['project', harmlessLine(run.project)]);
  if (run.base !== null)
    facts.push(['base', `${harmlessLine(run.base.ref)} ${run.base.commit.slice(0, 10)}`]);
  facts.push(['branch', harmlessLine(run.branch)]);
  const models = Object.entries(run.models).map(([slot, names]) => `${slot}: ${names.join(', ')}`);
  if (models.length > 0) facts.push(['models', models.join('; ') + (run.simulated ? ' (cassette)' : '')]);
  const { exposed, brokered } = run.secrets;
  if (exposed.length > 0) facts.push(['exposed', harmlessLine(`to this run: ${exposed.join(', ')}`)]);
  if (brokered.length > 0) {
    const words = brokered.map(({ name, host }) => `${name} (${host})`).join(', ');
    facts.push(['brokered', harmlessLine(words)]);
  }
  if (run.blueprint !== null) facts.push(['blueprint', `${run.blueprint.name} (${run.blueprint.source})`]);
  facts.push([
    'steps',
    stripCells(run, nowMs, out.isAscii, paint)
      .map((cell) => cell.painted)
      .join('  '),
  ]);
  const { restored, ran } = run.setup;
  if (restored > 0) facts.push(['setup', `from a snapshot in ${restored} of ${restored + ran} sandboxes`]);
  facts.push([
    'used',
    run.limits
      .filter((limit) => limit.owner === 'run')
      .map(
        (limit) => `${limit.name} ${limitText(limit.name, limit.used)}/${limitText(limit.name, limit.cap)}`,
      )
      .join('  '),
  ]);
  for (const { name, used, reserved, cap, owner, per } of run.limits) {
    if (per === null) continue;
    const amounts = [used + reserved, cap].map((value) => limitText(name, value)).join('/');
    facts.push(['budget', `${owner}, this ${per}: ${name} ${amounts}`]);
  }
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
export async function diff(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  return present(context, flags, async (session) => {
    const run = await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd });
    return diffShown(context, { run }, await session.client.runDiff(run));
  });
}

/** A diff as what it is: coloured and harmless on a terminal, the bytes as they are elsewhere. */
export function diffShown(context: CommandContext, of: object, text: string): Shown {
  return {
    document: { schema: 'berth.diff/v1', ...of, diff: text },
    ids: [],
    text: context.out.isTty ? colouredDiff(harmless(text), context.paint) : text,
  };
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
