import { BerthError } from '../../domain/errors/index.ts';
import type { DeliveryOutcome, KeptDelivery } from '../../store/deliveries/deliveries.ts';
import { done, ignored } from '../deliveries/outcome.ts';
import { handIn, triggerPlace, type TriggerParts } from '../hand-in.ts';
import { planWebhook } from './plan.ts';

/** Works off a delivery of a webhook trigger. Safe to repeat. @throws BerthError of the database and `createTask` */
export async function processWebhookDelivery(
  parts: TriggerParts,
  delivery: KeptDelivery,
  body: unknown,
): Promise<DeliveryOutcome> {
  const { trigger } = await triggerPlace(parts, delivery.name);
  if (trigger.kind !== 'webhook') throw new BerthError('TRIGGER_GONE');
  const plan = await planWebhook(trigger, body);
  if (plan.kind === 'filtered') {
    return ignored('TRIGGER_FILTERED', { reason: plan.reason, trigger: trigger.name });
  }
  const taskId = await handIn(parts, trigger.name, delivery, {
    key: `webhook:${trigger.name}:${delivery.externalId}`,
    title: plan.title,
    text: plan.text,
    origin: 'webhook',
    url: null,
  });
  return done(taskId, trigger.name, []);
}
