import { expect, test } from 'vitest';
import type { V1Pod } from './api-types.ts';
import { ApiFailure } from './api-failure.ts';
import type { PodClient, WatchEvent } from './client.ts';
import { podWatch, type PodNews } from './watch.ts';
import { systemClock } from '../../domain/clock.ts';

const pod = (name: string, version: number, extra: object = {}): V1Pod => ({
  metadata: { name, uid: `uid-${name}`, resourceVersion: String(version), ...extra },
});

/** One thing the API server does next. */
type Turn =
  | { readonly list: V1Pod[]; readonly version: string }
  | { readonly listFails: Error }
  | { readonly events: WatchEvent[]; readonly after?: Error | 'stay' };

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

/** A server that does what it is told, in order; asks what the client asked for. */
function scripted(turns: Turn[]) {
  const asked: string[] = [];
  const client: Pick<PodClient, 'list' | 'watch'> = {
    async list(_selector, signal) {
      asked.push('list');
      const turn = turns.shift();
      if (turn === undefined) return await aborted(signal).then(() => Promise.reject(new Error('closed')));
      if ('listFails' in turn) throw turn.listFails;
      if (!('list' in turn)) throw new Error('a list was not expected');
      return { resourceVersion: turn.version, pods: turn.list };
    },
    async *watch(_selector, version, signal) {
      asked.push(`watch ${version}`);
      const turn = turns.shift();
      if (turn === undefined || 'events' in turn) {
        yield* turn?.events ?? [];
        if (turn?.after instanceof Error) throw turn.after;
        if (turn === undefined || turn.after === 'stay') await aborted(signal);
        return;
      }
      throw new Error('a watch was not expected');
    },
  };
  return { client, asked };
}

/** Follows `name` until `count` things were told. */
async function follow(turns: Turn[], name: string, count: number) {
  const { client, asked } = scripted(turns);
  const watch = podWatch({ client, selector: 'x', clock: systemClock });
  const told: PodNews[] = [];
  await new Promise<void>((resolve) => {
    watch.follow(name, (news) => {
      told.push(news);
      if (told.length === count) resolve();
    });
  });
  await watch.close();
  return { asked, told: told.map((news) => `${news.kind} ${news.pod.metadata?.resourceVersion}`) };
}

const expired = new ApiFailure({
  status: 410,
  text: JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }),
  retryAfter: null,
});

test('a pod is followed from the list through the watch to its end', async () => {
  const { asked, told } = await follow(
    [
      { list: [pod('a', 1), pod('b', 2)], version: '5' },
      {
        events: [
          { type: 'MODIFIED', object: pod('a', 6) },
          { type: 'MODIFIED', object: pod('b', 7) },
          { type: 'DELETED', object: pod('a', 8, { deletionTimestamp: 'x' }) },
        ],
        after: 'stay',
      },
    ],
    'a',
    3,
  );
  expect(told).toEqual(['seen 1', 'seen 6', 'gone 8']);
  expect(asked).toEqual(['list', 'watch 5']);
});

test('a watch that ends goes on where it ended, bookmarks counted', async () => {
  const bookmark = { metadata: { resourceVersion: '50' } } as V1Pod;
  const { asked } = await follow(
    [
      { list: [pod('a', 1)], version: '5' },
      { events: [{ type: 'BOOKMARK', object: bookmark }] },
      { events: [], after: new Error('connection lost') },
      { events: [{ type: 'MODIFIED', object: pod('a', 51) }], after: 'stay' },
    ],
    'a',
    2,
  );
  expect(asked).toEqual(['list', 'watch 5', 'watch 50', 'watch 50']);
});

test('a version that is too old begins with a list, and who is not in it is gone', async () => {
  const { asked, told } = await follow(
    [
      { list: [pod('a', 1)], version: '5' },
      { events: [], after: expired },
      { list: [], version: '90' },
      { events: [], after: 'stay' },
    ],
    'a',
    2,
  );
  expect(told).toEqual(['seen 1', 'gone 1']);
  expect(asked.slice(0, 3)).toEqual(['list', 'watch 5', 'list']);
});

test('while the API server is away nobody is said to be gone', async () => {
  const away = Array.from({ length: 4 }, (): Turn => ({ listFails: new Error('refused') }));
  const { told } = await follow(
    [
      { list: [pod('a', 1)], version: '5' },
      { events: [], after: expired },
      ...away,
      { list: [pod('a', 9)], version: '9' },
      { events: [], after: 'stay' },
    ],
    'a',
    2,
  );
  expect(told).toEqual(['seen 1', 'seen 9']);
});

test('a new pod of an old name is another one', async () => {
  const { told } = await follow(
    [
      { list: [pod('a', 1)], version: '5' },
      { events: [{ type: 'ADDED', object: pod('a', 6, { uid: 'other' }) }], after: 'stay' },
    ],
    'a',
    3,
  );
  expect(told).toEqual(['seen 1', 'gone 1', 'seen 6']);
});
