import { sql, type Kysely } from 'kysely';
import type { RunStateName } from '../../domain/status.ts';
import type { Tables } from '../tables.ts';

/** One project of a campaign, with what its task came to: the newest of its runs speaks for it. */
export interface CampaignItem {
  readonly projectId: string;
  readonly project: string;
  readonly repository: string;
  readonly position: number;
  readonly claimedAt: Date | null;
  readonly taskId: string | null;
  readonly refused: { readonly code: string; readonly reason: string } | null;
  readonly retryOf: string | null;
  readonly retryClaimed: boolean;
  readonly cancelAsked: boolean;
  readonly runId: string | null;
  readonly state: RunStateName | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly pullRequest: { readonly number: number; readonly url: string } | null;
  /** Of all runs of its task. */
  readonly costUsd: number;
}

interface Row {
  readonly project_id: string;
  readonly name: string;
  readonly repository: string;
  readonly position: number;
  readonly claimed_at: Date | null;
  readonly task_id: string | null;
  readonly refused_code: string | null;
  readonly refused_reason: string | null;
  readonly retry_of: string | null;
  readonly retry_claimed: boolean;
  readonly cancel_asked: boolean;
  readonly run_id: string | null;
  readonly state: RunStateName | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly pull_request: CampaignItem['pullRequest'];
  readonly cost_usd: number | null;
}

/** Projects of a campaign by their place. @param page those behind a place */
export async function readItems(
  db: Kysely<Tables>,
  campaignId: string,
  page: { readonly after?: number; readonly limit?: number } = {},
): Promise<CampaignItem[]> {
  const { rows } = await sql<Row>`
    select i.*, p.name, p.repository, r.id as run_id, r.state, r.code, r.reason, r.pull_request,
      (select sum(cost_usd) from runs where runs.task_id = i.task_id) as cost_usd
    from campaign_projects i join projects p on p.id = i.project_id
    left join lateral (
      select id, state, code, reason, pull_request from runs
      where runs.task_id = i.task_id order by attempt desc limit 1
    ) r on true
    where i.campaign_id = ${campaignId} and i.position > ${page.after ?? -1}
    order by i.position limit ${page.limit ?? 10_000}`.execute(db);
  return rows.map((row) => ({
    projectId: row.project_id,
    project: row.name,
    repository: row.repository,
    position: row.position,
    claimedAt: row.claimed_at,
    taskId: row.task_id,
    refused: row.refused_code === null ? null : { code: row.refused_code, reason: row.refused_reason ?? '' },
    retryOf: row.retry_of,
    retryClaimed: row.retry_claimed,
    cancelAsked: row.cancel_asked,
    runId: row.run_id,
    state: row.state,
    code: row.code,
    reason: row.reason,
    pullRequest: row.pull_request,
    costUsd: row.cost_usd ?? 0,
  }));
}

/** Changes one project's row. */
export async function changeItem(
  db: Kysely<Tables>,
  at: { readonly campaignId: string; readonly projectId: string },
  change: {
    readonly task_id?: string;
    readonly refused_code?: string | null;
    readonly refused_reason?: string | null;
    readonly claimed_at?: Date | null;
    readonly retry_of?: string | null;
    readonly retry_claimed?: boolean;
    readonly cancel_asked?: boolean;
  },
): Promise<void> {
  await db
    .updateTable('campaign_projects')
    .set(change)
    .where('campaign_id', '=', at.campaignId)
    .where('project_id', '=', at.projectId)
    .execute();
}
