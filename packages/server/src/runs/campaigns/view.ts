import { z } from 'zod';
import type { CampaignRow } from '../../store/campaigns/campaigns.ts';
import type { CampaignItem } from '../../store/campaigns/items.ts';
import { itemState, type ItemState } from './decide.ts';

const states = ['waiting', 'queued', 'running', 'needs_person', 'succeeded', 'failed', 'cancelled'] as const;

/** A campaign as the API answers it: as far as one sees its projects. */
export const campaignViewSchema = z
  .object({
    schema: z.literal('berth.campaign/v1'),
    id: z.string(),
    title: z.string(),
    text: z.string(),
    createdBy: z.string(),
    createdAt: z.string(),
    state: z.enum(['running', 'paused', 'stopped', 'cancelled', 'done']),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    stateBy: z.string(),
    stateSince: z.string(),
    concurrency: z.number(),
    canary: z.number(),
    canaryPassed: z.boolean(),
    /** Share of failures, 0 to 1. */
    stopOnFailureRate: z.number().nullable(),
    projects: z.number(),
    /** Projects by how they stand; `waiting`: their turn is still to come. */
    counts: z.record(z.enum(states), z.number()),
    /** Of all runs so far. */
    costUsd: z.number(),
    /** What failed or needs a person, by code and sentence, the largest first. */
    failures: z.array(
      z.object({
        code: z.string().nullable(),
        reason: z.string(),
        projects: z.number(),
        runs: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'Campaign' });
export type CampaignView = z.infer<typeof campaignViewSchema>;

/** One row of the results. */
export const campaignResultSchema = z
  .object({
    project: z.string(),
    projectId: z.string(),
    state: z.enum(states),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    taskId: z.string().nullable(),
    runId: z.string().nullable(),
    pullRequest: z.object({ number: z.number(), url: z.string() }).nullable(),
    costUsd: z.number(),
  })
  .meta({ id: 'CampaignResult' });
export type CampaignResult = z.infer<typeof campaignResultSchema>;

/** @param items those of its projects that may be seen. Pure. */
export function campaignView(campaign: CampaignRow, items: readonly CampaignItem[]): CampaignView {
  const counts = Object.fromEntries(states.map((state) => [state, 0])) as Record<ItemState, number>;
  const clusters = new Map<string, CampaignView['failures'][number]>();
  for (const item of items) {
    const state = shownState(campaign, item);
    counts[state] += 1;
    if (state !== 'failed' && state !== 'needs_person') continue;
    const { code, reason } = why(item);
    const key = JSON.stringify([code, reason]);
    const cluster = clusters.get(key) ?? { code, reason: reason ?? '', projects: 0, runs: [] };
    cluster.projects += 1;
    if (item.runId !== null && cluster.runs.length < 5) cluster.runs.push(item.runId);
    clusters.set(key, cluster);
  }
  return {
    schema: 'berth.campaign/v1',
    id: campaign.id,
    title: campaign.title,
    text: campaign.text,
    createdBy: campaign.createdBy,
    createdAt: campaign.createdAt.toISOString(),
    state: campaign.state,
    code: campaign.code,
    reason: campaign.reason,
    stateBy: campaign.stateBy,
    stateSince: campaign.stateSince.toISOString(),
    concurrency: campaign.concurrency,
    canary: campaign.canary,
    canaryPassed: campaign.canaryPassed,
    stopOnFailureRate: campaign.stopRate,
    projects: items.length,
    counts,
    costUsd: items.reduce((sum, item) => sum + item.costUsd, 0),
    failures: [...clusters.values()].toSorted((a, b) => b.projects - a.projects).slice(0, 50),
  };
}

/** Pure. */
export function resultOf(campaign: CampaignRow, item: CampaignItem): CampaignResult {
  const { projectId, project, taskId, runId, pullRequest, costUsd } = item;
  return {
    project,
    projectId,
    state: shownState(campaign, item),
    ...why(item),
    taskId,
    runId,
    pullRequest: pullRequest === null ? null : { number: pullRequest.number, url: pullRequest.url },
    costUsd,
  };
}

/** What had no turn when its campaign was cancelled never has one. */
function shownState({ state }: CampaignRow, item: CampaignItem): ItemState {
  const own = itemState(item);
  return state === 'cancelled' && own === 'waiting' ? 'cancelled' : own;
}

export function why(item: CampaignItem): { readonly code: string | null; readonly reason: string | null } {
  return item.refused ?? { code: item.code, reason: item.reason };
}
