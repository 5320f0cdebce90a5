import { decide, type Permission, type Principal } from '../../domain/access.ts';
import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';
import type { ControlPlane } from '../../domain/ports/control-plane.ts';
import {
  changeCampaign,
  holdCampaign,
  readCampaign,
  type CampaignRow,
} from '../../store/campaigns/campaigns.ts';
import { changeItem, readItems, type CampaignItem } from '../../store/campaigns/items.ts';
import type { Database } from '../../store/database.ts';
import { decideMove, isActive } from './decide.ts';

export interface MoveParts {
  readonly db: Database;
  readonly controlPlane: Pick<ControlPlane, 'createTask' | 'cancel' | 'retry'>;
  readonly audit: AuditSink;
  /** What somebody may do at this moment; throws for whoever is shut out. */
  readonly principalNow: (id: string) => Promise<Principal>;
}

/** Cancels that are asked for at once: each waits a bounded while for the run's worker. */
const cancelsAtOnce = 10;
/** Who changed a campaign's state where nobody did. */
const byItself = 'campaign';

/**
 * Moves one campaign as far as it goes now. Whose turn it is is written under the campaign's lock before anything is
 * handed in; handing in has a key, so that what a replica left when it died is done again by the next one, once.
 * @returns ids of its runs that are under way
 */
export async function moveCampaign(parts: MoveParts, id: string): Promise<readonly string[]> {
  const { db } = parts;
  const campaign = await db.sql.transaction().execute(async (transaction) => {
    const held = await holdCampaign(transaction, id);
    if (held?.state === 'running') await decideUnder(db, transaction, held);
    return held;
  });
  if (campaign === null) return [];
  const now = await readCampaign(db.sql, id);
  const items = await readItems(db.sql, id);
  switch (now.state) {
    case 'running':
    case 'stopped':
      for (const item of items) await handIn(parts, now, item);
      break;
    case 'cancelled':
      await endRuns(parts, now, items);
      break;
    case 'paused':
    case 'done':
      break;
  }
  const after = await readItems(db.sql, id);
  return after.filter(isActive).flatMap((item) => item.runId ?? []);
}

async function decideUnder(
  db: Database,
  transaction: Parameters<typeof holdCampaign>[0],
  campaign: CampaignRow,
): Promise<void> {
  const { id } = campaign;
  const at = new Date(db.clock.nowMs());
  const move = decideMove(campaign, await readItems(transaction, id));
  for (const item of move.claim) {
    await changeItem(
      transaction,
      { campaignId: id, projectId: item.projectId },
      { claimed_at: at, ...(item.retryOf === null ? {} : { retry_claimed: true }) },
    );
  }
  if (move.canaryPassed && !campaign.canaryPassed) {
    await transaction.updateTable('campaigns').set({ canary_passed: true }).where('id', '=', id).execute();
  }
  const by = byItself;
  if (move.stop !== null) {
    await changeCampaign(transaction, id, ['running'], { state: 'stopped', by, at, ...move.stop });
  } else if (move.isDone) {
    await changeCampaign(transaction, id, ['running'], { state: 'done', by, at });
  }
}

/** Hands in what has its turn and is not handed in yet. What cannot succeed later either is a failure of its project. */
async function handIn(parts: MoveParts, campaign: CampaignRow, item: CampaignItem): Promise<void> {
  const { db } = parts;
  const at = { campaignId: campaign.id, projectId: item.projectId };
  const isNew = item.claimedAt !== null && item.taskId === null && item.refused === null;
  if (!isNew && !item.retryClaimed) return;
  // Somebody may have cancelled or paused it since.
  const { state } = await readCampaign(db.sql, campaign.id);
  if (state !== 'running' && state !== 'stopped') return;
  try {
    await assertMayStill(parts, campaign, item, isNew);
    if (isNew)
      await changeItem(db.sql, at, {
        task_id: await create(parts, campaign, item),
        claimed_at: item.claimedAt,
      });
    else await again(parts, campaign, item);
  } catch (error) {
    const known = asBerthError(error);
    if (known.retryable) throw error;
    await changeItem(db.sql, at, {
      refused_code: known.code,
      refused_reason: known.message,
      retry_of: null,
      retry_claimed: false,
    });
  }
}

/** Who made the campaign go on: what failed is attempted again in their name. */
function mover({ stateBy, createdBy }: CampaignRow): string {
  return stateBy === byItself ? createdBy : stateBy;
}

/**
 * Asked at each project's turn: a campaign outlives a role that was taken away.
 * @throws BerthError `FORBIDDEN`, `TOKEN_OWNER_DISABLED`
 */
async function assertMayStill(
  { principalNow }: MoveParts,
  campaign: CampaignRow,
  { projectId, project }: CampaignItem,
  isNew: boolean,
): Promise<void> {
  const by = isNew ? campaign.createdBy : mover(campaign);
  const principal = await principalNow(by);
  const needed: readonly Permission[] = isNew ? ['task.create', 'campaign.manage'] : ['campaign.manage'];
  const lacking = needed.find(
    (permission) => decide(principal, permission, { projectId, ownerId: campaign.createdBy }) !== 'granted',
  );
  if (lacking === undefined) return;
  throw new BerthError('FORBIDDEN', `${by} lacks the permission ${lacking} on ${project} by now.`, {
    details: { permission: lacking },
  });
}

async function create(parts: MoveParts, campaign: CampaignRow, item: CampaignItem): Promise<string> {
  return recorded(parts, campaign, item, { action: 'task.create', by: campaign.createdBy }, async () => {
    const { task } = await parts.controlPlane.createTask({
      repository: item.repository,
      text: campaign.text,
      options: campaign.options,
      origin: { kind: 'api', by: campaign.createdBy },
      idempotencyKey: `campaign:${campaign.id}:${item.projectId}`,
    });
    return task.id;
  });
}

/** Another attempt, unless one was made meanwhile: by a replica that died before it could say so, or by a person. */
async function again(parts: MoveParts, campaign: CampaignRow, item: CampaignItem): Promise<void> {
  const { retryOf } = item;
  if (retryOf !== null && item.runId === retryOf) {
    const by = mover(campaign);
    await recorded(parts, campaign, item, { action: 'run.retry', by }, async () =>
      parts.controlPlane
        .retry(retryOf, { by, base: 'newest', instruction: null, limits: {} })
        .catch((error: unknown) => {
          if (asBerthError(error).code !== 'RUN_ACTIVE') throw error;
        }),
    );
  }
  await changeItem(
    parts.db.sql,
    { campaignId: campaign.id, projectId: item.projectId },
    { retry_claimed: false },
  );
}

async function recorded<Result>(
  { audit }: MoveParts,
  campaign: CampaignRow,
  item: CampaignItem,
  { action, by }: { readonly action: string; readonly by: string },
  work: () => Promise<Result>,
): Promise<Result> {
  const act = await audit.begin({
    by,
    byKind: 'trigger',
    tokenId: null,
    via: 'campaign',
    action,
    object: { kind: 'campaign', id: campaign.id, projectId: item.projectId },
    from: { address: null, agent: null },
    requestId: null,
    details: {},
  });
  try {
    const result = await work();
    await act.end({ result: 'allowed', code: null });
    return result;
  } catch (error) {
    await act.end({ result: 'failed', code: asBerthError(error).code }).catch(() => undefined);
    throw error;
  }
}

/** Ends the runs of a cancelled campaign, and takes back what has its turn and was not handed in. */
async function endRuns(
  { db, controlPlane }: MoveParts,
  campaign: CampaignRow,
  items: readonly CampaignItem[],
): Promise<void> {
  const left = items.filter((item) => (item.claimedAt !== null || item.taskId !== null) && !item.cancelAsked);
  for (let from = 0; from < left.length; from += cancelsAtOnce) {
    await Promise.all(
      left.slice(from, from + cancelsAtOnce).map(async (item) => {
        const at = { campaignId: campaign.id, projectId: item.projectId };
        if (item.taskId === null) {
          await changeItem(db.sql, at, { claimed_at: null });
          return;
        }
        if (item.runId !== null && isActive(item)) {
          await controlPlane.cancel(item.runId, campaign.stateBy).catch((error: unknown) => {
            if (asBerthError(error).code !== 'CONFLICT') throw error;
          });
        }
        await changeItem(db.sql, at, { cancel_asked: true });
      }),
    );
  }
}
