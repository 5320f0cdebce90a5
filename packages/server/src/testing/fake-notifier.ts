import { BerthError } from '../domain/errors/index.ts';
import type { Notification } from '../domain/ports/notifier.ts';
import type { NotifierScene } from './notifier-contract.ts';

/** Keeps what it is told. */
export function fakeNotifier(): NotifierScene & { readonly all: Notification[] } {
  const all: Notification[] = [];
  let how: Parameters<NotifierScene['behave']>[0] = 'well';
  return {
    all,
    taken: () => all.map(({ id }) => id),
    behave: (next) => {
      how = next;
    },
    notifier: {
      async notify(notification, signal) {
        await Promise.resolve();
        signal.throwIfAborted();
        if (how !== 'well') throw new BerthError('NOTIFICATION_FAILED');
        all.push(notification);
      },
    },
  };
}
