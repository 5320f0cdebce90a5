import type { NotificationEvent } from '../config/notifications.ts';
import type { GateView } from '../gate-view.ts';
import type { Status } from '../status.ts';

/** Something that happened to a run, for people. It holds no text of the agent and no difference. */
export interface Notification {
  readonly schema: 'berth.notification/v1';
  /** `<run>/<seq>`: the same however often it is delivered. */
  readonly id: string;
  readonly event: NotificationEvent;
  readonly at: string;
  /** One line. */
  readonly text: string;
  readonly run: {
    readonly id: string;
    readonly title: string;
    readonly project: string;
    readonly status: Status;
    readonly pullRequest: string | null;
  };
  readonly gate: GateView | null;
  /** Where to look; null where no public address is configured. */
  readonly link: string | null;
}

/**
 * Tells people. Contract (`testing/notifier-contract.ts`): `notify` resolves once the other side has taken it, and rejects
 * with `NOTIFICATION_FAILED` in every other case, within bounded time, or with the signal's reason. It is called again with
 * the same notification after a failure or a crash, so the other side may see one twice.
 */
export interface Notifier {
  notify(notification: Notification, signal: AbortSignal): Promise<void>;
}
