import { harmlessLine, type Budgets, type Usage } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { failure } from '../failure.ts';
import { table, type Cell } from '../output/table.ts';
import { count, money } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';

export interface UsageFlags extends PresentFlags {
  readonly by: string;
  readonly since: string;
  readonly project?: string;
  readonly budgets?: boolean;
}

const dayMs = 86_400_000;
const dimensions = ['day', 'project', 'principal', 'model'] as const;

/** `berth usage`: what was used, by project unless asked otherwise; with `--budgets` what still may be. */
export async function usage(context: CommandContext, flags: UsageFlags): Promise<number> {
  if (flags.budgets === true) return budgets(context, flags);
  checkBy(flags.by);
  const from = firstDay(flags.since, Date.now());
  return present(context, flags, async (session) => {
    const used = await session.client.usage({
      by: flags.by,
      from,
      ...(flags.project === undefined ? {} : { project: flags.project }),
    });
    return {
      document: used,
      ids: [],
      text: usageTable(context, used),
      notes: [
        ...(used.rows.length === 0 ? [`Nothing was used since ${from}.`] : []),
        ...(used.truncated ? [`Only the first ${used.rows.length} rows; the sum is of all.`] : []),
      ],
    };
  });
}

function usageTable({ out, paint }: CommandContext, used: Usage): string {
  const named = dimensions.filter((name) => used.by.includes(name));
  const right = ['COST', 'LOST', 'TOKENS IN', 'OUT', 'CACHED', 'CALLS', 'RUNS'];
  const columns = [
    ...named.map((name) => ({ title: name.toUpperCase(), isFlexible: name !== 'day' })),
    ...right.map((title) => ({ title, side: 'right' as const })),
  ];
  const rows = used.rows.map((row) => [
    ...named.map((name): Cell => ({
      text: harmlessLine(row[name] ?? '-'),
      plain: harmlessLine(row[name] ?? ''),
    })),
    ...amountCells(row),
  ]);
  const sum = [
    ...named.map((_, place): Cell => ({ text: place === 0 ? 'in all' : '' })),
    ...amountCells(used.total),
  ];
  // Without a name the one row is the sum; a pipe wants rows and no sum among them.
  const shown = named.length === 0 ? [amountCells(used.total)] : out.isTty ? [...rows, sum] : rows;
  return table(out, paint, columns, shown);
}

function amountCells(amounts: Usage['total']): Cell[] {
  const usd = (value: number): Cell => ({ text: money(value), plain: value.toFixed(4) });
  const whole = (value: number): Cell => ({ text: count(value), plain: String(value) });
  return [
    usd(amounts.costUsd),
    usd(amounts.lostUsd),
    whole(amounts.tokens.in),
    whole(amounts.tokens.out),
    whole(amounts.tokens.cached),
    whole(amounts.calls),
    whole(amounts.runs),
  ];
}

function budgets(context: CommandContext, flags: UsageFlags): Promise<number> {
  return present(context, flags, async (session) => {
    const found = await session.client.budgets();
    return {
      document: found,
      ids: [],
      text: budgetTable(context, found),
      notes: found.budgets.length === 0 ? ['No budget is set.'] : [],
    };
  });
}

function budgetTable({ out, paint }: CommandContext, { budgets: rows }: Budgets): string {
  const columns = [
    { title: 'OF' },
    { title: 'NAME', isFlexible: true },
    { title: 'PER' },
    ...['USED', 'RESERVED', 'BUDGET'].map((title) => ({ title, side: 'right' as const })),
    { title: 'UNTIL' },
  ];
  return table(
    out,
    paint,
    columns,
    rows.map((row) => {
      const amount = (value: number): Cell =>
        row.amount === 'costUsd'
          ? { text: money(value), plain: value.toFixed(4) }
          : { text: `${count(value)} ${row.amount}`, plain: String(value) };
      const isSpent = row.used + row.reserved >= row.cap;
      return [
        { text: row.scope },
        { text: harmlessLine(row.name === '' ? '-' : row.name), plain: harmlessLine(row.name) },
        { text: row.per },
        { ...amount(row.used), ...(isSpent ? { tone: 'bad' as const } : {}) },
        amount(row.reserved),
        amount(row.cap),
        { text: row.until.slice(0, 16).replace('T', ' '), plain: row.until },
      ];
    }),
  );
}

/** @throws ApiFailure `USAGE` */
function checkBy(by: string): void {
  const known: readonly string[] = dimensions;
  const odd = by.split(',').find((name) => name !== '' && !known.includes(name));
  if (odd === undefined) return;
  throw failure('USAGE', `--by takes no ${JSON.stringify(odd)}.`, `Known: ${dimensions.join(', ')}.`);
}

/** The first day of `7d` (today included), or the day itself. */
export function firstDay(since: string, nowMs: number): string {
  const days = /^([1-9]\d{0,2})d$/.exec(since)?.[1];
  if (days !== undefined) return new Date(nowMs - (Number(days) - 1) * dayMs).toISOString().slice(0, 10);
  if (/^\d{4}-\d\d-\d\d$/.test(since) && !Number.isNaN(Date.parse(since))) return since;
  throw failure(
    'USAGE',
    `--since takes days like 7d, or a day like 2026-11-01; ${JSON.stringify(since)} is neither.`,
  );
}
