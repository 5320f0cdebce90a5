import { systemClock } from '../domain/clock.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { buckets } from '../api/access/rate-limits.ts';
import { hookSecrets } from '../triggers/deliveries/hook-secrets.ts';
import { hookDoor, type HookDoor } from '../triggers/deliveries/receive.ts';
import { askedPermissions } from '../triggers/forge/permissions.ts';
import type { ForgeTriggerParts } from '../triggers/forge/process.ts';
import type { Foundation } from './foundation.ts';

/** Deliveries of one name that are taken: what a busy organisation's forge sends, and a burst of it. */
const ofName = { perSecond: 20, burst: 2_000 };

/** What works deliveries off, on this foundation. */
export function deliveryPartsOf(foundation: Foundation, controlPlane: ControlPlane): ForgeTriggerParts {
  const { db, config, audit, clock } = foundation;
  return {
    db,
    config,
    controlPlane,
    audit: audit.sink,
    permissions: askedPermissions(clock),
    conversationOf: async (projectId) => (await foundation.forgeOf(projectId, null)).conversation,
  };
}

/** Where deliveries come in. */
export function hookDoorOf(foundation: Foundation): { readonly door: HookDoor; close(): void } {
  const { db, config, secrets, log, clock } = foundation;
  const ready = hookSecrets(config, clock, secrets.read);
  const rates = buckets(systemClock, 1_000);
  const door = hookDoor({
    db,
    config,
    secrets: ready,
    redactor: secrets.redactor,
    takeRate: (name) => rates.take(name, ofName),
    onRefused: (why) => log.info('delivery refused', why),
  });
  return { door, close: () => ready.close() };
}
