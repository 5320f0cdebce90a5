import type { Client } from 'openapi-fetch';
import type { components, operations, paths } from './generated/api.ts';

export type Delivery = components['schemas']['Delivery'];
export type Trigger = components['schemas']['Trigger'];
export type TriggerTrial = components['schemas']['TriggerTrial'];
export type DeliveryQuery = NonNullable<operations['listDeliveries']['parameters']['query']>;

type Answer = <Data>(request: Promise<{ data?: Data; error?: unknown; response: Response }>) => Promise<Data>;

/** Routes of deliveries and triggers, as functions. */
export function deliveryCalls(api: Client<paths>, answer: Answer) {
  const on = (id: string) => ({ params: { path: { id } } });
  return {
    listDeliveries: async (query: DeliveryQuery) =>
      answer(api.GET('/api/v1/deliveries', { params: { query } })),
    getDelivery: async (id: string) => answer(api.GET('/api/v1/deliveries/{id}', on(id))),
    runDeliveryAgain: async (id: string): Promise<Delivery> =>
      answer(api.POST('/api/v1/deliveries/{id}/run-again', { ...on(id), body: {} })),
    listTriggers: async () => answer(api.GET('/api/v1/triggers')),
    testTrigger: async (id: string, body: Record<string, unknown>, event: string): Promise<TriggerTrial> =>
      answer(api.POST('/api/v1/triggers/{id}/test', { ...on(id), body: { body, event } })),
  };
}
