import { sql, type Kysely, type Selectable } from 'kysely';
import type { VisibleProjects } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { newId } from '../../domain/ids.ts';
import { titleOf, type RunOptions } from '../../domain/task.ts';
import type { Database } from '../database.ts';
import { storableText } from '../events/storable.ts';
import type { Tables } from '../tables.ts';

/** What the bell rings for when a campaign has something to move. */
export const movingCampaigns = 'campaigns';

export type CampaignState = Tables['campaigns']['state'];

export interface CampaignRow {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly options: RunOptions;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly concurrency: number;
  readonly canary: number;
  readonly stopRate: number | null;
  readonly stopAfter: number;
  readonly state: CampaignState;
  readonly code: string | null;
  readonly reason: string | null;
  readonly stateBy: string;
  readonly stateSince: Date;
  readonly canaryPassed: boolean;
  readonly judgedFrom: Date;
}

function toRow(row: Selectable<Tables['campaigns']>): CampaignRow {
  return {
    id: row.id,
    title: row.title,
    text: row.text,
    options: row.options as RunOptions,
    createdBy: row.created_by,
    createdAt: row.created_at,
    concurrency: row.concurrency,
    canary: row.canary,
    stopRate: row.stop_rate,
    stopAfter: row.stop_after,
    state: row.state,
    code: row.code,
    reason: row.reason,
    stateBy: row.state_by,
    stateSince: row.state_since,
    canaryPassed: row.canary_passed,
    judgedFrom: row.judged_from,
  };
}

export async function insertCampaign(
  db: Database,
  campaign: Pick<
    CampaignRow,
    'text' | 'options' | 'createdBy' | 'concurrency' | 'canary' | 'stopRate' | 'stopAfter'
  > & {
    readonly projectIds: readonly string[];
  },
): Promise<string> {
  const now = new Date(db.clock.nowMs());
  const id = newId('v', now.getTime());
  const text = storableText(campaign.text);
  await db.sql.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('campaigns')
      .values({
        id,
        title: titleOf(text),
        text,
        options: JSON.stringify(campaign.options),
        created_by: campaign.createdBy,
        created_at: now,
        concurrency: campaign.concurrency,
        canary: campaign.canary,
        stop_rate: campaign.stopRate,
        stop_after: campaign.stopAfter,
        state: 'running',
        state_by: campaign.createdBy,
        state_since: now,
        judged_from: now,
      })
      .execute();
    await transaction
      .insertInto('campaign_projects')
      .values(
        campaign.projectIds.map((projectId, position) => ({
          campaign_id: id,
          project_id: projectId,
          position,
        })),
      )
      .execute();
  });
  db.bell.ring(movingCampaigns);
  return id;
}

/** @throws BerthError `NOT_FOUND` */
export async function readCampaign(db: Kysely<Tables>, id: string): Promise<CampaignRow> {
  const row = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new BerthError('NOT_FOUND', `There is no campaign ${id}.`);
  return toRow(row);
}

/** The same, held until the transaction ends; null: another holds it. */
export async function holdCampaign(transaction: Kysely<Tables>, id: string): Promise<CampaignRow | null> {
  const row = await transaction
    .selectFrom('campaigns')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  return row === undefined ? null : toRow(row);
}

/** Campaigns that a mover has to look at. */
export async function movingIds(db: Kysely<Tables>): Promise<string[]> {
  const rows = await db
    .selectFrom('campaigns')
    .select('id')
    .where((or) =>
      or.or([
        or('state', '=', 'running'),
        or.and([
          or('state', '=', 'cancelled'),
          or.exists(
            or
              .selectFrom('campaign_projects')
              .select('project_id')
              .whereRef('campaign_id', '=', 'campaigns.id')
              .where((or2) => or2.or([or2('claimed_at', 'is not', null), or2('task_id', 'is not', null)]))
              .where('cancel_asked', '=', false),
          ),
        ]),
      ]),
    )
    .orderBy('created_at')
    .limit(500)
    .execute();
  return rows.map(({ id }) => id);
}

/** Moves a campaign to another state, from one of `from`; false: it was in none of them. */
export async function changeCampaign(
  db: Kysely<Tables>,
  id: string,
  from: readonly CampaignState[],
  change: {
    readonly state: CampaignState;
    readonly by: string;
    readonly at: Date;
    readonly code?: string | null;
    readonly reason?: string | null;
    readonly goOn?: boolean;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('campaigns')
    .set({
      state: change.state,
      code: change.code ?? null,
      reason: change.reason ?? null,
      state_by: change.by,
      state_since: change.at,
      ...(change.goOn === true ? { canary_passed: true, judged_from: change.at } : {}),
    })
    .where('id', '=', id)
    .where('state', 'in', [...from])
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Campaigns with a project that may be seen, newest first. @param before the cursor: id of the last one */
export async function listCampaigns(
  db: Kysely<Tables>,
  page: { readonly visible: VisibleProjects; readonly before?: string; readonly limit: number },
): Promise<CampaignRow[]> {
  let query = db.selectFrom('campaigns').selectAll().orderBy('id', 'desc').limit(page.limit);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  const { visible } = page;
  if (visible !== 'all') {
    query = query.where((where) =>
      where.exists(
        where
          .selectFrom('campaign_projects')
          .select('project_id')
          .whereRef('campaign_id', '=', 'campaigns.id')
          .where('project_id', '=', sql<string>`any(${[...visible]})`),
      ),
    );
  }
  return (await query.execute()).map(toRow);
}

/** A campaign by its id or a unique beginning, among those with a project that may be seen. */
export async function findCampaign(
  db: Kysely<Tables>,
  text: string,
  visible: VisibleProjects,
): Promise<{ readonly id: string; readonly projectId: string; readonly ownerId: string } | null> {
  const inSight = visible === 'all' ? sql`true` : sql`i.project_id = any(${[...visible]})`;
  const start = text === 'latest' ? 'v-' : text.replaceAll(/[\\%_]/g, String.raw`\$&`);
  const { rows } = await sql<{ id: string; project_id: string; created_by: string }>`
    select distinct on (c.id) c.id, i.project_id, c.created_by
    from campaigns c join campaign_projects i on i.campaign_id = c.id
    where c.id like ${`${start}%`} and ${inSight}
    order by c.id desc, i.position limit 2`.execute(db);
  const [row, other] = rows;
  if (row === undefined) return null;
  if (other !== undefined && text !== 'latest' && row.id !== text && other.id !== text) {
    throw new BerthError('AMBIGUOUS_ID', `${text} begins the ids of several campaigns.`);
  }
  const found = other?.id === text ? other : row;
  return { id: found.id, projectId: found.project_id, ownerId: found.created_by };
}
