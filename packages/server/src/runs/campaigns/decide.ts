import type { ErrorCode } from '../../domain/errors/index.ts';
import type { CampaignItem } from '../../store/campaigns/items.ts';
import type { CampaignRow } from '../../store/campaigns/campaigns.ts';

/** How a project of a campaign stands. */
export type ItemState =
  | 'waiting'
  | 'queued'
  | 'running'
  | 'needs_person'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

/** Pure. */
export function itemState(item: CampaignItem): ItemState {
  if (item.refused !== null) return 'failed';
  if (item.claimedAt === null) return 'waiting';
  if (item.retryOf !== null && item.runId === item.retryOf) return 'waiting';
  switch (item.state) {
    case null:
    case 'queued':
      return 'queued';
    case 'running':
    case 'paused':
      return 'running';
    case 'needs_human':
      return 'needs_person';
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return item.state;
  }
}

/** Takes one of the places that `concurrency` gives: from its claim on, until its newest run is over. Pure. */
export function isActive(item: CampaignItem): boolean {
  if (item.retryClaimed) return true;
  const state = itemState(item);
  return state === 'queued' || state === 'running';
}

export type Stop = { readonly code: ErrorCode; readonly reason: string };

/** What a look at a campaign leads to. */
export interface CampaignMove {
  /** Projects whose turn it is now. */
  readonly claim: readonly CampaignItem[];
  readonly stop: Stop | null;
  readonly canaryPassed: boolean;
  readonly isDone: boolean;
}

const over: readonly ItemState[] = ['needs_person', 'succeeded', 'failed', 'cancelled'];

/**
 * The next moves of a running campaign: stops it when too many failed or the canary did not succeed, otherwise gives as
 * many projects their turn as places are free, in their order; while the canary is out, only those. Pure.
 */
export function decideMove(
  campaign: Pick<
    CampaignRow,
    'concurrency' | 'canary' | 'stopRate' | 'stopAfter' | 'canaryPassed' | 'judgedFrom'
  >,
  items: readonly CampaignItem[],
): CampaignMove {
  const stay = { claim: [], stop: null, canaryPassed: campaign.canaryPassed, isDone: false };
  const rate = failureRate(campaign, items);
  if (rate !== null) return { ...stay, stop: rate };
  const first = items.slice(0, campaign.canary);
  const isCanaryOver = first.every((item) => over.includes(itemState(item)));
  const canaryPassed = campaign.canaryPassed || isCanaryOver;
  if (!campaign.canaryPassed && isCanaryOver && first.length > 0) {
    const bad = first.filter((item) => itemState(item) !== 'succeeded').length;
    if (bad / first.length > (campaign.stopRate ?? 0)) {
      const reason = `${bad} of the first ${first.length} did not succeed.`;
      return { ...stay, stop: { code: 'CAMPAIGN_CANARY_FAILED', reason } };
    }
  }
  const eligible = (canaryPassed ? items : first).filter(
    (item) => itemState(item) === 'waiting' && !item.retryClaimed,
  );
  const free = campaign.concurrency - items.filter(isActive).length;
  return {
    claim: eligible.slice(0, Math.max(0, free)),
    stop: null,
    canaryPassed,
    isDone: items.every((item) => over.includes(itemState(item)) && !item.retryClaimed),
  };
}

/** The stop that the failure rate asks for, once enough are over; null: none. Pure. */
function failureRate(
  { stopRate, stopAfter, judgedFrom }: Pick<CampaignRow, 'stopRate' | 'stopAfter' | 'judgedFrom'>,
  items: readonly CampaignItem[],
): Stop | null {
  if (stopRate === null) return null;
  const judged = items
    .filter((item) => item.claimedAt !== null && item.claimedAt >= judgedFrom)
    .map(itemState);
  const finished = judged.filter((state) => over.includes(state) && state !== 'cancelled').length;
  const failed = judged.filter((state) => state === 'failed').length;
  if (finished < stopAfter || failed === 0 || failed / finished < stopRate) return null;
  const percent = Math.round((100 * failed) / finished);
  return {
    code: 'CAMPAIGN_FAILURE_RATE',
    reason: `${failed} of ${finished} that are over failed (${percent}%).`,
  };
}
