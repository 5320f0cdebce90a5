import { expect, test } from 'vitest';
import { orAborted } from './or-aborted.ts';

test('a promise that fails after it was left behind ends nothing', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    for (const isLate of [false, true]) {
      const leaving = new AbortController();
      const { promise, reject } = Promise.withResolvers<never>();
      if (!isLate) leaving.abort(new Error('leaving'));
      const left = orAborted(promise, leaving.signal);
      leaving.abort(new Error('leaving'));
      await expect(left).rejects.toThrow('leaving');
      reject(new Error('failed later'));
      // Rejections that nobody handles are told after the microtasks of this turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unhandled).toEqual([]);
});

test('what is there in time is answered', async () => {
  expect(await orAborted(Promise.resolve(7), new AbortController().signal)).toBe(7);
});
