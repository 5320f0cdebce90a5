import { webhookNotifier } from '../connectors/webhook-notifier.ts';
import type { Notification } from '../domain/ports/notifier.ts';
import type { BerthError } from '../domain/errors/index.ts';
import type { TellPeopleParts } from '../runs/tell-people.ts';
import type { Foundation } from './foundation.ts';

/** Whom the configuration says to tell, as it is at each delivery. */
export function notifiersOf(
  { db, config, clock, secrets, signal }: Foundation,
  onError: (error: BerthError) => void,
): TellPeopleParts {
  return {
    db,
    onError,
    publicUrl: () => config.current().config.server.publicUrl ?? null,
    notifierFor(event) {
      const { webhook } = config.current().config.notifications;
      if (webhook === undefined || !webhook.events.includes(event)) return null;
      const { url, secret } = webhook;
      const notifier = webhookNotifier({ url, clock, secret: () => secrets.read(secret, signal) });
      // What was stored before a secret was known is not told either.
      return {
        notify: (notification, stop) =>
          notifier.notify(secrets.redactor.value(notification) as Notification, stop),
      };
    },
  };
}
