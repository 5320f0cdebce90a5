import { afterAll, beforeAll, expect, test } from 'vitest';
import { decide, localPrincipal, type Principal } from '../domain/access.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { EventSummary, RunRow } from '../domain/run-views.ts';
import { testDatabase } from '../testing/database.ts';
import { fillRun, ownedRun, planned } from '../testing/long-run.ts';
import { openSse, type SseSeen } from '../testing/read-sse.ts';
import { servePlane, type ServedPlane } from '../testing/served-plane.ts';
import { note } from '../testing/project-run.ts';

const store = testDatabase();
let served: ServedPlane;
beforeAll(async () => {
  served = await servePlane(store.db);
});
afterAll(() => served.close());

/** Reads until `enough` says so, then breaks the connection. */
async function read(
  path: string,
  enough: (seen: readonly SseSeen[]) => boolean,
  headers: Record<string, string> = {},
  from: ServedPlane = served,
): Promise<SseSeen[]> {
  const { message, seen } = await openSse(from.socketPath, `/api/v1${path}`, headers);
  const messages: SseSeen[] = [];
  for await (const one of seen) {
    if ('comment' in one) continue;
    messages.push(one);
    if (enough(messages)) break;
  }
  message.destroy();
  return messages;
}

const total = 10_000;
const cuts = 100;

test.each([
  ['the stream of all', (run: string) => `/stream?runs=${run}&view=summary&lists=1`],
  ['the stream of a run', (run: string) => `/runs/${run}/stream`],
])(
  'a reader of %s that is cut 100 times over 10,000 events has each exactly once',
  async (_, path) => {
    const { runId, writer } = await ownedRun(store.db);
    // Written while it is read: most cuts fall into a log that grows.
    const writing = fillRun(writer, total);
    const seqs: number[] = [];
    const rows: RunRow[] = [];
    let mark: string | null = null;
    let rounds = 0;
    while (seqs.length < total) {
      rounds += 1;
      const wanted = Math.min(total - seqs.length, rounds > cuts ? total : total / cuts);
      const seen = await read(
        path(runId),
        (all) => all.filter((one) => one.event === 'event').length >= wanted,
        mark === null ? {} : { 'last-event-id': mark },
      );
      for (const one of seen) {
        if (one.event === 'event') seqs.push((one.data as EventSummary).seq);
        if (one.event === 'run') rows.push(one.data as RunRow);
        if (one.id !== null) mark = one.id;
      }
    }
    await writing;
    expect(rounds).toBeGreaterThanOrEqual(cuts);
    expect(seqs).toEqual(Array.from({ length: total }, (__, place) => place + 1));
    // Rows are states, not entries: each is newer than the one before.
    const states = rows.filter((row) => row.id === runId).map((row) => row.seq);
    expect(states).toEqual([...new Set(states)].sort((a, b) => a - b));
  },
  240_000,
);

test('changes of rows that happen while nobody reads are there when the reader is back, each once', async () => {
  const first = await read('/stream?lists=1', (all) => all.at(-1)?.event === 'ready');
  const mark = first.at(-1)!.id!;
  const made = [];
  for (let place = 0; place < 7; place += 1) made.push(await ownedRun(store.db));
  for (const { writer } of made) await writer.append([planned]);
  const back = await read('/stream?lists=1', (all) => all.at(-1)?.event === 'ready', {
    'last-event-id': mark,
  });
  const rows = back.filter((one) => one.event === 'run').map((one) => one.data as RunRow);
  expect(rows.map((row) => [row.id, row.seq])).toEqual(made.map(({ runId }) => [runId, 2]));
  const again = await read('/stream?lists=1', (all) => all.at(-1)?.event === 'ready', {
    'last-event-id': back.at(-1)!.id!,
  });
  expect(again.map((one) => one.event)).toEqual(['ready']);
});

test('a change made in a transaction that ends late is not lost behind a later one', async () => {
  const early = await ownedRun(store.db);
  const late = await ownedRun(store.db);
  let mark = (await read('/stream?lists=1', (all) => all.at(-1)?.event === 'ready')).at(-1)!.id!;
  const seen: string[] = [];
  const gather = async (): Promise<void> => {
    const all = await read('/stream?lists=1', (some) => some.at(-1)?.event === 'ready', {
      'last-event-id': mark,
    });
    for (const one of all) if (one.event === 'run') seen.push((one.data as RunRow).id);
    mark = all.at(-1)!.id!;
  };
  await store.db.sql.transaction().execute(async (transaction) => {
    await transaction.updateTable('runs').set({ priority: 5 }).where('id', '=', early.runId).execute();
    await late.writer.append([planned]);
    await gather();
  });
  await gather();
  expect(seen.toSorted()).toEqual([early.runId, late.runId].toSorted());
});

test('one stream carries several runs, in turn, and subscriptions change with the next connection', async () => {
  const one = await ownedRun(store.db);
  const two = await ownedRun(store.db);
  await one.writer.append([planned, note('a')]);
  await two.writer.append([planned, note('b')]);
  const both = await read(`/stream?runs=${one.runId},${two.runId}`, (all) => all.at(-1)?.event === 'ready');
  const runsOf = (seen: readonly SseSeen[]) =>
    seen.filter((item) => item.event === 'event').map((item) => (item.data as { run: string }).run);
  expect(runsOf(both).toSorted()).toEqual(
    [one.runId, one.runId, one.runId, two.runId, two.runId, two.runId].toSorted(),
  );
  const three = await ownedRun(store.db);
  await two.writer.append([note('c')]);
  const changed = await read(
    `/stream?runs=${two.runId},${three.runId}`,
    (all) => all.at(-1)?.event === 'ready',
    {
      'last-event-id': both.at(-1)!.id!,
    },
  );
  expect(runsOf(changed)).toEqual([two.runId, three.runId]);
  const from = await read(`/stream?runs=${one.runId}:2`, (all) => all.at(-1)?.event === 'ready');
  expect(from.filter((item) => item.event === 'event')).toMatchObject([{ data: { seq: 3 } }]);
});

test('many readers of one run cost one look at the log, and each has every entry', async () => {
  const { runId, writer } = await ownedRun(store.db);
  const readers = Array.from({ length: 20 }, () =>
    read(
      `/stream?runs=${runId}&view=summary`,
      (all) => all.filter((one) => one.event === 'event').length >= 300,
    ),
  );
  await fillRun(writer, 300);
  for (const seen of await Promise.all(readers)) {
    const seqs = seen.filter((one) => one.event === 'event').map((one) => (one.data as EventSummary).seq);
    expect(seqs).toEqual(Array.from({ length: 300 }, (_, place) => place + 1));
  }
});

test('a reader whose rights end is told so and gets nothing more; hidden projects are never in its list', async () => {
  const mine = await ownedRun(store.db, { repository: '/srv/mine.git' });
  const theirs = await ownedRun(store.db, { repository: '/srv/theirs.git' });
  const { project_id: project } = await store.db.sql
    .selectFrom('runs')
    .select('project_id')
    .where('id', '=', mine.runId)
    .executeTakeFirstOrThrow();
  let roles: Principal['projectRoles'] = { [project]: 'viewer' };
  const guarded = await servePlane(store.db, {
    recheckMs: 50,
    authenticate: async () => ({
      ...localPrincipal('anna'),
      kind: 'person',
      globalRole: null,
      projectRoles: roles,
    }),
  });
  expect((await guarded.get(`/stream?runs=${theirs.runId}`)).status).toBe(404);
  const seen: SseSeen[] = [];
  const reading = read(
    `/stream?runs=${mine.runId}&lists=1`,
    (all) => {
      seen.splice(0, seen.length, ...all);
      return all.at(-1)?.event === 'problem';
    },
    {},
    guarded,
  );
  await expect.poll(() => seen.at(-1)?.event).toBe('ready');
  await theirs.writer.append([planned]);
  await mine.writer.append([planned]);
  await expect.poll(() => seen.some((one) => one.event === 'run')).toBe(true);
  roles = {};
  const all = await reading;
  expect(all.at(-1)).toMatchObject({ event: 'problem', data: { code: 'NOT_FOUND' } });
  const ids = all.filter((one) => one.event === 'run').map((one) => (one.data as RunRow).id);
  expect(new Set(ids)).toEqual(new Set([mine.runId]));
  expect(
    decide({ ...localPrincipal('x'), globalRole: null }, 'run.read', { projectId: project, ownerId: null }),
  ).toBe('hidden');
  await guarded.close();
});

test('a token that is revoked ends the open stream', async () => {
  const { runId } = await ownedRun(store.db);
  let isRevoked = false;
  const guarded = await servePlane(store.db, {
    recheckMs: 20,
    authenticate: async () => {
      if (isRevoked) throw new BerthError('TOKEN_REFUSED');
      return localPrincipal('anna');
    },
  });
  const reading = read(`/stream?runs=${runId}`, (all) => all.at(-1)?.event === 'problem', {}, guarded);
  isRevoked = await new Promise((resolve) => setImmediate(() => resolve(false)));
  await read(`/stream?runs=${runId}`, (all) => all.at(-1)?.event === 'ready', {}, guarded);
  isRevoked = true;
  expect((await reading).at(-1)).toMatchObject({ event: 'problem', data: { code: 'TOKEN_REFUSED' } });
  await guarded.close();
});

test('what cannot be a cursor, a list of runs or an id is a problem and no stream', async () => {
  for (const [query, status] of [
    ['runs=r-none', 404],
    ['runs=../x', 400],
    [`runs=${Array.from({ length: 21 }, (_, place) => `r-${place}`).join(',')}`, 400],
    ['after=nonsense', 400],
    [`lists=1&after=${Buffer.from('{"r":{},"l":"x"}').toString('base64url')}`, 400],
    [`after=${Buffer.from('{"r":{"constructor":1},"l":null}').toString('base64url')}`, 400],
    ['lists=2', 400],
  ] as const) {
    const answer = await served.get(`/stream?${query}`);
    expect([query.slice(0, 40), answer.status]).toEqual([query.slice(0, 40), status]);
  }
});
