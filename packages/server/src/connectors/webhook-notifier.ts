import { createHmac } from 'node:crypto';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Notification, Notifier } from '../domain/ports/notifier.ts';
import { postBytes } from '../net/post-bytes.ts';

const timeoutMs = 10_000;

/**
 * Posts notifications as JSON. `berth-signature: t=<seconds>,v1=<hex>`: HMAC-SHA256 over `<seconds>.<body>`, so that a
 * receiver can refuse what is not ours and what is old.
 */
export function webhookNotifier(options: {
  readonly url: string;
  readonly clock: Clock;
  /** Read for each delivery, so that a changed secret counts at once. */
  secret(): Promise<string>;
  readonly timeoutMs?: number;
}): Notifier {
  const { url, clock } = options;
  return {
    async notify(notification, signal) {
      signal.throwIfAborted();
      const body = Buffer.from(JSON.stringify(notification));
      const seconds = Math.floor(clock.nowMs() / 1_000);
      try {
        const headers = headersOf(
          notification,
          `t=${seconds},v1=${signed(await options.secret(), seconds, body)}`,
        );
        const status = await postBytes({
          url,
          body,
          headers,
          timeoutMs: options.timeoutMs ?? timeoutMs,
          signal,
        });
        if (status >= 200 && status < 300) return;
        throw new BerthError('NOTIFICATION_FAILED', `The webhook answered ${status}.`);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof BerthError && error.code === 'NOTIFICATION_FAILED') throw error;
        // Not its message: it may hold the address, and addresses of webhooks often hold a key.
        const why =
          error instanceof BerthError ? error.code : error instanceof Error ? error.name : 'unknown';
        throw new BerthError('NOTIFICATION_FAILED', `The webhook could not be reached (${why}).`);
      }
    },
  };
}

function headersOf({ id, event }: Notification, signature: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'berth',
    'berth-event': event,
    'berth-delivery': id,
    'berth-signature': signature,
  };
}

function signed(secret: string, seconds: number, body: Uint8Array): string {
  return createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex');
}
