import type { VisibleProjects } from '../access.ts';
import type { BudgetsView, UsageDimension, UsageView } from '../usage.ts';

/** Whose use may be told: that of visible projects, and one's own wherever it was. */
export interface UsageReach {
  readonly visible: VisibleProjects;
  /** Principal id; null: nothing is told because it is one's own. */
  readonly self: string | null;
}

export interface UsageQuery extends UsageReach {
  /** Without any: one row of everything. */
  readonly by: readonly UsageDimension[];
  /** `YYYY-MM-DD`, both included; left out: the last seven days. */
  readonly from?: string;
  readonly to?: string;
  /** Id, name or repository of a project. */
  readonly project?: string;
}

/** What was used and what may be; `limits/` implements it. */
export interface UsageReader {
  /** @throws BerthError `USAGE` for a range that is none, `DATABASE_UNAVAILABLE` */
  usage(query: UsageQuery): Promise<UsageView>;
  /** Every budget that applies, as it stands. @throws BerthError `DATABASE_UNAVAILABLE` */
  budgets(reach: UsageReach): Promise<BudgetsView>;
}

/** Where nothing is counted: an API without a database below it. */
export const noUsage: UsageReader = {
  usage: async ({ by, from, to }) => ({
    schema: 'berth.usage/v1',
    from: from ?? '1970-01-01',
    to: to ?? '1970-01-01',
    by: [...by],
    rows: [],
    total: {
      costUsd: 0,
      lostUsd: 0,
      tokens: { in: 0, out: 0, cached: 0 },
      lostTokens: 0,
      calls: 0,
      runs: 0,
    },
    truncated: false,
  }),
  budgets: async () => ({ schema: 'berth.budgets/v1', budgets: [] }),
};
