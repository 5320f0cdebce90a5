import { expect, test } from 'vitest';
import { joinLive, liveHub } from './live-hub.ts';

test('a viewer gets settled events and live frames, and the hub forgets the viewer who left', async () => {
  const hub = liveHub();
  let release: (value: number) => void = () => undefined;
  async function* events(): AsyncGenerator<number> {
    yield 1;
    yield await new Promise<number>((resolve) => {
      release = resolve;
    });
  }
  const seen: unknown[] = [];
  const viewer = (async () => {
    for await (const item of joinLive(events(), (onFrame) => hub.watch('r', onFrame))) {
      seen.push(item);
      if (seen.length === 1) hub.publish('r', { kind: 'text', callId: 'c', text: 'hello' });
      if (seen.length === 2) release(2);
    }
  })();
  await viewer;
  expect(seen).toEqual([{ event: 1 }, { frame: { kind: 'text', callId: 'c', text: 'hello' } }, { event: 2 }]);
});

test('frames for a viewer who does not read are dropped past a bound, events never', async () => {
  const hub = liveHub();
  async function* events(): AsyncGenerator<number> {
    yield 1;
    yield 2;
  }
  const joined = joinLive(events(), (onFrame) => hub.watch('r', onFrame));
  await joined.next();
  for (let index = 0; index < 10_000; index += 1) hub.publish('r', { kind: 'text', callId: 'c', text: 'x' });
  let frames = 0;
  const settled: number[] = [];
  for await (const item of joined) {
    if ('frame' in item) frames += 1;
    else settled.push(item.event);
  }
  expect(frames).toBeLessThanOrEqual(512);
  expect(settled).toEqual([2]);
});
