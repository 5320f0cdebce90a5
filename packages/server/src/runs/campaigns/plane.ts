import { isVisible, type VisibleProjects } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { RunOptions } from '../../domain/task.ts';
import {
  changeCampaign,
  insertCampaign,
  listCampaigns,
  movingCampaigns,
  readCampaign,
  type CampaignRow,
  type CampaignState,
} from '../../store/campaigns/campaigns.ts';
import { changeItem, readItems } from '../../store/campaigns/items.ts';
import type { Database } from '../../store/database.ts';
import { checkedTaskText } from '../new-task.ts';
import { itemState } from './decide.ts';
import { campaignView, resultOf, why, type CampaignResult, type CampaignView } from './view.ts';

export interface NewCampaign {
  readonly text: string;
  /** Ids, in the order in which they get their turn; each once. */
  readonly projectIds: readonly string[];
  readonly options: RunOptions;
  readonly concurrency: number;
  readonly canary: number;
  readonly stopRate: number | null;
  readonly stopAfter: number;
  readonly by: string;
}

/** What the API asks about campaigns. Rights were decided before; ids are whole. */
export interface CampaignPlane {
  create(campaign: NewCampaign): Promise<CampaignView>;
  list(page: {
    readonly visible: VisibleProjects;
    readonly before?: string;
    readonly limit: number;
  }): Promise<readonly CampaignView[]>;
  get(id: string, visible: VisibleProjects): Promise<CampaignView>;
  /** Its projects, all of them: whoever acts on it has to have the right on each. */
  projectIds(id: string): Promise<readonly string[]>;
  results(
    id: string,
    page: { readonly visible: VisibleProjects; readonly after?: number; readonly limit: number },
  ): Promise<{ readonly results: readonly CampaignResult[]; readonly next: number | null }>;
  /** @throws BerthError `CONFLICT` */
  pause(id: string, by: string): Promise<CampaignView>;
  /** Goes on, also past what stopped it: failures so far do not count any more. @throws BerthError `CONFLICT` */
  resume(id: string, by: string): Promise<CampaignView>;
  /** Nothing more is handed in, and runs that are under way are ended. @throws BerthError `CONFLICT` */
  cancel(id: string, by: string): Promise<CampaignView>;
  /**
   * Gives another attempt to what failed, or to what failed or needs a person with one code.
   * @throws BerthError `CONFLICT`
   */
  retry(id: string, by: string, code: string | null): Promise<CampaignView>;
}

export function campaignPlane(db: Database): CampaignPlane {
  const get = async (id: string, visible: VisibleProjects): Promise<CampaignView> => {
    const items = await readItems(db.sql, id);
    return campaignView(
      await readCampaign(db.sql, id),
      items.filter((item) => isVisible(visible, item.projectId)),
    );
  };
  const change = async (
    id: string,
    from: readonly CampaignState[],
    to: Omit<Parameters<typeof changeCampaign>[3], 'at'>,
  ): Promise<CampaignView> => {
    const at = new Date(db.clock.nowMs());
    if (!(await changeCampaign(db.sql, id, from, { ...to, at })))
      throw conflict(await readCampaign(db.sql, id));
    db.bell.ring(movingCampaigns);
    return get(id, 'all');
  };
  return {
    async create(campaign) {
      const text = checkedTaskText(campaign.text);
      const id = await insertCampaign(db, { ...campaign, text, createdBy: campaign.by });
      return get(id, 'all');
    },
    get,
    async list(page) {
      const rows = await listCampaigns(db.sql, page);
      return Promise.all(rows.map(async ({ id }) => get(id, page.visible)));
    },
    projectIds: async (id) => (await readItems(db.sql, id)).map(({ projectId }) => projectId),
    async results(id, { visible, after, limit }) {
      const campaign = await readCampaign(db.sql, id);
      const items = await readItems(db.sql, id, after === undefined ? {} : { after });
      const seen = items.filter((item) => isVisible(visible, item.projectId));
      const page = seen.slice(0, limit);
      return {
        results: page.map((item) => resultOf(campaign, item)),
        next: seen.length > limit ? (page.at(-1)?.position ?? null) : null,
      };
    },
    pause: (id, by) =>
      change(id, ['running'], { state: 'paused', by, code: 'CAMPAIGN_PAUSED', reason: `Paused by ${by}` }),
    resume: (id, by) => change(id, ['paused', 'stopped'], { state: 'running', by, goOn: true }),
    cancel: (id, by) => change(id, ['running', 'paused', 'stopped'], { state: 'cancelled', by }),
    async retry(id, by, code) {
      const campaign = await readCampaign(db.sql, id);
      if (campaign.state === 'cancelled') throw conflict(campaign);
      for (const item of await readItems(db.sql, id)) {
        const state = itemState(item);
        const isMeant =
          code === null
            ? state === 'failed'
            : ['failed', 'needs_person'].includes(state) && why(item).code === code;
        if (!isMeant) continue;
        await changeItem(
          db.sql,
          { campaignId: id, projectId: item.projectId },
          {
            refused_code: null,
            refused_reason: null,
            // Without a task there is nothing to attempt again: it gets its first turn once more.
            ...(item.runId === null ? { claimed_at: null } : { retry_of: item.runId, retry_claimed: false }),
          },
        );
      }
      // One that was over goes on; one that was stopped or paused does when it is resumed. From then on it moves in the
      // name of whoever asked last: attempts are theirs.
      const at = new Date(db.clock.nowMs());
      const goesOn = await changeCampaign(db.sql, id, ['done'], { state: 'running', by, at, goOn: true });
      if (!goesOn) await changeCampaign(db.sql, id, ['running'], { state: 'running', by, at });
      db.bell.ring(movingCampaigns);
      return get(id, 'all');
    },
  };
}

function conflict(campaign: CampaignRow): BerthError {
  return new BerthError('CONFLICT', `The campaign ${campaign.id} is ${campaign.state}.`, {
    details: { state: campaign.state },
  });
}
