import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

test('a sleep lasts at least as long as asked for, by the monotonic clock', async () => {
  const startedMs = systemClock.monotonicMs();
  await systemClock.sleep(30);
  expect(systemClock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(29);
});

test('a sleep ends with the reason of its signal, before and while it lasts', async () => {
  await expect(systemClock.sleep(60_000, AbortSignal.abort(new Error('before')))).rejects.toThrowError(
    'before',
  );
  const stop = new AbortController();
  const sleeping = systemClock.sleep(2 ** 40, stop.signal);
  stop.abort(new Error('while'));
  await expect(sleeping).rejects.toThrowError('while');
});
