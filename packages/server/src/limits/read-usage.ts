import { sql, type RawBuilder } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { UsageQuery } from '../domain/ports/usage.ts';
import type { UsageDimension, UsageView } from '../domain/usage.ts';
import type { Database } from '../store/database.ts';

/** Most rows of an answer. */
const mostRows = 5_000;
const longestDays = 732;
const dayMs = 86_400_000;

interface Sums {
  readonly cost_usd: string;
  readonly lost_usd: string;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly cached_tokens: string;
  readonly lost_tokens: string;
  readonly calls: string;
  readonly runs: string;
}

const sums = sql`coalesce(sum(cost_usd), 0) as cost_usd, coalesce(sum(lost_usd), 0) as lost_usd,
  coalesce(sum(input_tokens), 0) as input_tokens, coalesce(sum(output_tokens), 0) as output_tokens,
  coalesce(sum(cached_tokens), 0) as cached_tokens, coalesce(sum(lost_tokens), 0) as lost_tokens,
  coalesce(sum(calls), 0) as calls, coalesce(sum(runs), 0) as runs`;

const columns: Readonly<Record<UsageDimension, RawBuilder<unknown>>> = {
  project: sql`p.name`,
  principal: sql`u.principal`,
  model: sql`nullif(u.model, '')`,
  day: sql`u.day::text`,
};

/** What was used, from the ledger alone. @throws BerthError `USAGE`, `DATABASE_UNAVAILABLE` */
export async function readUsage(db: Database, query: UsageQuery): Promise<UsageView> {
  const { visible, self, by, project = null } = query;
  const { from, to } = rangeOf(query, db.clock.nowMs());
  const isAll = visible === 'all';
  const inReach = sql`from usage_ledger u join projects p on p.id = u.project_id
    where u.day between ${from}::date and ${to}::date
      and (${isAll} or u.project_id = any(${isAll ? [] : [...visible]}::text[]) or u.principal = ${self}::text)
      and (${project}::text is null or ${project} in (p.id, p.name, p.repository))`;
  const dimension = (name: UsageDimension): RawBuilder<unknown> =>
    by.includes(name) ? columns[name] : sql`null::text`;
  const [total] = (await sql<Sums>`select ${sums} ${inReach}`.execute(db.sql)).rows;
  const { rows } = await sql<Sums & Readonly<Record<UsageDimension, string | null>>>`
    select ${dimension('project')} as project, ${dimension('principal')} as principal, ${dimension('model')} as model,
      ${dimension('day')} as day, ${sums} ${inReach}
    group by 1, 2, 3, 4
    order by sum(cost_usd + lost_usd) desc, 4 desc nulls last, 1, 2, 3 limit ${mostRows + 1}`.execute(db.sql);
  return {
    schema: 'berth.usage/v1',
    from,
    to,
    by: [...by],
    rows: rows.slice(0, mostRows).map(({ project: name, principal, model, day, ...row }) => ({
      project: name,
      principal,
      model,
      day,
      ...used(row),
    })),
    total: used(total!),
    truncated: rows.length > mostRows,
  };
}

function used(row: Sums): UsageView['total'] {
  return {
    costUsd: Number(row.cost_usd),
    lostUsd: Number(row.lost_usd),
    tokens: {
      in: Number(row.input_tokens),
      out: Number(row.output_tokens),
      cached: Number(row.cached_tokens),
    },
    lostTokens: Number(row.lost_tokens),
    calls: Number(row.calls),
    runs: Number(row.runs),
  };
}

function rangeOf(query: Pick<UsageQuery, 'from' | 'to'>, nowMs: number): { from: string; to: string } {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const to = query.to ?? day(nowMs);
  const from = query.from ?? day(Date.parse(to) - 6 * dayMs);
  const days = (Date.parse(to) - Date.parse(from)) / dayMs;
  if (!(days >= 0 && days <= longestDays)) {
    throw new BerthError('USAGE', `From ${from} to ${to} is no range of at most two years.`, {
      next: 'Give `from` and `to` as days, the first not after the last.',
    });
  }
  return { from, to };
}
