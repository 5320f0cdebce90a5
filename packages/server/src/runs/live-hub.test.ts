import { expect, test } from 'vitest';
import type { LiveFrame } from '../domain/live.ts';
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
    for await (const item of joinLive(events(), (onFrame) => hub.watch('r', onFrame), noop)) {
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
  const joined = joinLive(events(), (onFrame) => hub.watch('r', onFrame), noop);
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

test('what is shown is prepared once for all viewers, and not at all without one', () => {
  const hub = liveHub();
  let prepared = 0;
  const clean = (frame: LiveFrame): LiveFrame => {
    prepared += 1;
    return { ...frame, text: frame.text.replaceAll('hunter2', '[secret]') };
  };
  hub.publish('r', { kind: 'text', callId: 'c', text: 'hunter2' }, clean);
  expect(prepared).toBe(0);
  const shown: string[] = [];
  for (let viewer = 0; viewer < 2; viewer += 1) hub.watch('r', (frame) => shown.push(frame.text));
  hub.publish('r', { kind: 'text', callId: 'c', text: 'it is hunter2' }, clean);
  expect([prepared, ...shown]).toEqual([1, 'it is [secret]', 'it is [secret]']);
});

test('a viewer who waits long for the next event gathers nothing for the frames between', async () => {
  const hub = liveHub();
  let reactions = 0;
  const never: PromiseLike<IteratorResult<number>> & Promise<IteratorResult<number>> = new Promise(() => {});
  const counted = new Proxy(never, {
    get(target, name) {
      if (name === 'then') reactions += 1;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const events = { [Symbol.asyncIterator]: () => ({ next: () => counted }) };
  const joined = joinLive(events, (onFrame) => hub.watch('r', onFrame), noop);
  for (let index = 0; index < 20; index += 1) {
    const next = joined.next();
    await new Promise((resolve) => setImmediate(resolve));
    hub.publish('r', { kind: 'text', callId: 'c', text: 'x' });
    await next;
  }
  expect(reactions).toBe(1);
});
test('a viewer who leaves after a frame does not wait for the next event', async () => {
  const hub = liveHub();
  const left = new AbortController();
  async function* events(): AsyncGenerator<number> {
    yield 1;
    await new Promise<void>((resolve) => left.signal.addEventListener('abort', () => resolve()));
  }
  const joined = joinLive(
    events(),
    (onFrame) => hub.watch('r', onFrame),
    () => left.abort(),
  );
  await joined.next();
  const frame = joined.next();
  hub.publish('r', { kind: 'text', callId: 'c', text: 'x' });
  await frame;
  // Without `leave` this would wait for an event that never comes.
  await joined.return(undefined);
  expect(left.signal.aborted).toBe(true);
});

function noop(): void {}
