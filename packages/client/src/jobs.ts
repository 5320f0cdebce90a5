import type { Client } from 'openapi-fetch';
import type { components, operations, paths } from './generated/api.ts';

export type Schedule = components['schemas']['Schedule'];
export type Campaign = components['schemas']['Campaign'];
export type CampaignResult = components['schemas']['CampaignResult'];
export type NewCampaign = operations['createCampaign']['requestBody']['content']['application/json'];

type Answer = <Data>(request: Promise<{ data?: Data; error?: unknown; response: Response }>) => Promise<Data>;

/** Routes of schedules and campaigns, as functions. */
export function jobCalls(api: Client<paths>, answer: Answer) {
  const on = (id: string) => ({ params: { path: { id } } });
  const post = (id: string) => ({ ...on(id), body: {} });
  return {
    listSchedules: async () => answer(api.GET('/api/v1/schedules')),
    getSchedule: async (id: string): Promise<Schedule> => answer(api.GET('/api/v1/schedules/{id}', on(id))),
    createSchedule: async (schedule: {
      name: string;
      project: string;
      [key: string]: unknown;
    }): Promise<Schedule> => answer(api.POST('/api/v1/schedules', { body: schedule })),
    /** As it is now: one that is changed meanwhile is refused. */
    deleteSchedule: async (id: string) => {
      const read = api.GET('/api/v1/schedules/{id}', on(id));
      await answer(read);
      const version = (await read).response.headers.get('etag') ?? '';
      return answer(
        api.DELETE('/api/v1/schedules/{id}', {
          params: { path: { id }, header: { 'if-match': version } },
        }),
      );
    },
    pauseSchedule: async (id: string, reason: string | null): Promise<Schedule> =>
      answer(
        api.POST('/api/v1/schedules/{id}/pause', { ...on(id), body: reason === null ? {} : { reason } }),
      ),
    resumeSchedule: async (id: string): Promise<Schedule> =>
      answer(api.POST('/api/v1/schedules/{id}/resume', post(id))),
    runSchedule: async (id: string): Promise<Schedule> =>
      answer(api.POST('/api/v1/schedules/{id}/run', post(id))),
    listCampaigns: async (query: { limit?: number; cursor?: string }) =>
      answer(api.GET('/api/v1/campaigns', { params: { query } })),
    createCampaign: async (campaign: NewCampaign) =>
      answer(api.POST('/api/v1/campaigns', { body: campaign })),
    getCampaign: async (id: string): Promise<Campaign> => answer(api.GET('/api/v1/campaigns/{id}', on(id))),
    campaignResults: async (id: string, query: { limit?: number; cursor?: number }) =>
      answer(api.GET('/api/v1/campaigns/{id}/results', { params: { path: { id }, query } })),
    pauseCampaign: async (id: string): Promise<Campaign> =>
      answer(api.POST('/api/v1/campaigns/{id}/pause', post(id))),
    resumeCampaign: async (id: string): Promise<Campaign> =>
      answer(api.POST('/api/v1/campaigns/{id}/resume', post(id))),
    cancelCampaign: async (id: string): Promise<Campaign> =>
      answer(api.POST('/api/v1/campaigns/{id}/cancel', post(id))),
    retryCampaign: async (id: string, code: string | null): Promise<Campaign> =>
      answer(api.POST('/api/v1/campaigns/{id}/retry', { ...on(id), body: code === null ? {} : { code } })),
  };
}
