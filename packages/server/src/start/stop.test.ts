import { expect, test } from 'vitest';
import { ManualClock } from '../testing/manual-clock.ts';
import { silentLog } from '../telemetry/log.ts';
import { stopInTime } from './stop.ts';

test('parts stop in the reverse order of their start, one that fails does not keep the others', async () => {
  const stopped: string[] = [];
  const part = (name: string) => async (): Promise<void> => {
    stopped.push(name);
    if (name === 'worker') throw new Error('broken');
  };
  const stopping = new AbortController();
  const options = { clock: new ManualClock(), log: silentLog, timeoutMs: 1_000 };
  await stopInTime([part('database'), part('api'), part('worker')], stopping, options);
  expect(stopped).toEqual(['worker', 'api', 'database']);
  expect(stopping.signal.aborted).toBe(true);
});

test('what does not stop in time is left behind', async () => {
  const clock = new ManualClock();
  const stopping = new AbortController();
  const never = (): Promise<void> => new Promise(() => undefined);
  const stopped = stopInTime([never], stopping, { clock, log: silentLog, timeoutMs: 25_000 });
  expect(stopping.signal.aborted).toBe(false);
  await clock.advance(25_000);
  await stopped;
  expect(stopping.signal.aborted).toBe(true);
});
