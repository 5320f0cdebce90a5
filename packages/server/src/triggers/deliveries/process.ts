import { asBerthError, type BerthError, type ErrorCode } from '../../domain/errors/index.ts';
import {
  noteFailedTry,
  readDelivery,
  settleDelivery,
  type DeliveryOutcome,
  type KeptDelivery,
} from '../../store/deliveries/deliveries.ts';
import { gitHubHappening } from '../forge/github-event.ts';
import { processForgeDelivery, type ForgeTriggerParts } from '../forge/process.ts';
import { processWebhookDelivery } from '../webhooks/process.ts';
import { ignored } from './outcome.ts';

/** What says that there is nothing to do, rather than that something went wrong. */
const refusals: ReadonlySet<ErrorCode> = new Set(['TRIGGER_GONE']);

/**
 * Works off one round of a delivery, once or again: nothing is made twice by it.
 * @param isLast nobody tries again after this: what fails is settled as dead
 * @throws what may succeed later, unless it is the last try
 */
export async function processDelivery(
  parts: ForgeTriggerParts,
  { id, round }: { readonly id: string; readonly round: number },
  isLast: boolean,
): Promise<void> {
  const { db } = parts;
  const delivery = await readDelivery(db, id);
  if (delivery === null || delivery.round !== round) return;
  if (delivery.state !== 'waiting' && delivery.state !== 'queued') return;
  try {
    await settleDelivery(db, delivery, await outcomeOf(parts, delivery));
  } catch (error) {
    const known = asBerthError(error);
    if (known.code === 'DATABASE_UNAVAILABLE') throw known;
    if (refusals.has(known.code)) {
      const trigger = delivery.entrance === 'trigger' ? { trigger: delivery.name } : {};
      await settleDelivery(db, delivery, ignored(known.code, { reason: known.message, ...trigger }));
      return;
    }
    // What nobody foresaw may be over with the next try as well.
    const mayPass = known.retryable || known.code === 'INTERNAL';
    if (mayPass && !isLast) {
      await noteFailedTry(db, delivery, { code: known.code, reason: sentenceOf(known) });
      throw known;
    }
    await settleDelivery(db, delivery, {
      state: 'dead',
      code: known.code,
      reason: sentenceOf(known),
      notes: [],
      trigger: delivery.entrance === 'trigger' ? delivery.name : null,
      taskId: null,
    });
  }
}

/** What nobody foresaw is not shown: it may quote what came from outside. */
function sentenceOf(error: BerthError): string {
  return error.code === 'INTERNAL' ? 'Unexpected error; the server’s log has it.' : error.message;
}

async function outcomeOf(parts: ForgeTriggerParts, delivery: KeptDelivery): Promise<DeliveryOutcome> {
  const body: unknown = JSON.parse(delivery.body);
  switch (delivery.entrance) {
    case 'trigger':
      return processWebhookDelivery(parts, delivery, body);
    case 'forge': {
      const [event = ''] = delivery.event.split('.');
      if (event === 'ping')
        return ignored('DELIVERY_NOT_FOR_US', { reason: 'The forge asked whether we are here.' });
      return processForgeDelivery(parts, delivery, gitHubHappening(event, body));
    }
  }
}
