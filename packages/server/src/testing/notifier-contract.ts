import { expect, test } from 'vitest';
import type { Notification, Notifier } from '../domain/ports/notifier.ts';

/** Another side that a notifier speaks to, as the contract needs it. */
export interface NotifierScene {
  readonly notifier: Notifier;
  /** Ids of what it has taken. */
  taken(): readonly string[];
  /** From now on the other side refuses, or says nothing at all. */
  behave(how: 'well' | 'refuses' | 'silent'): void;
}

export const sampleNotification: Notification = {
  schema: 'berth.notification/v1',
  id: 'r-1/7',
  event: 'gate.opened',
  at: '2026-01-01T00:00:00.000Z',
  text: 'waits for approval: 1 file +1 -1',
  run: {
    id: 'r-1',
    title: 'Mend the date',
    project: 'web',
    status: {
      state: 'paused',
      code: 'GATE_START',
      reason: 'Waits for approval',
      next: null,
      since: '2026-01-01T00:00:00.000Z',
      lastEventAt: null,
      step: null,
      round: null,
      queue: null,
    },
    pullRequest: null,
  },
  gate: null,
  link: null,
};

/** What every notifier keeps. */
export function notifierContract(name: string, open: () => Promise<NotifierScene>): void {
  const signal = new AbortController().signal;

  test(`${name}: resolves once the other side has taken it, and again for the same`, async () => {
    const scene = await open();
    const { notifier } = scene;
    await notifier.notify(sampleNotification, signal);
    await notifier.notify(sampleNotification, signal);
    expect(scene.taken()).toEqual(['r-1/7', 'r-1/7']);
  });

  test.each(['refuses', 'silent'] as const)(
    `${name}: fails with a code where the other side is %s`,
    async (how) => {
      const scene = await open();
      const { notifier } = scene;
      scene.behave(how);
      await expect(notifier.notify(sampleNotification, signal)).rejects.toMatchObject({
        code: 'NOTIFICATION_FAILED',
      });
      scene.behave('well');
      expect(scene.taken()).toEqual([]);
      await notifier.notify(sampleNotification, signal);
    },
  );

  test(`${name}: ends with the signal's reason`, async () => {
    const scene = await open();
    const { notifier } = scene;
    scene.behave('silent');
    const stop = new AbortController();
    const telling = notifier.notify(sampleNotification, stop.signal);
    stop.abort(new Error('the process stops'));
    await expect(telling).rejects.toThrow('the process stops');
  });
}
