import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createApi } from '../api/create-api.ts';
import { listenApi } from '../api/listen-api.ts';
import type { Database } from '../store/database.ts';
import { testDatabase } from '../testing/database.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { MemoryAuditSink } from '../testing/memory-audit-sink.ts';
import { ChangingConfig } from '../testing/sign-in-world.ts';
import { entranceOf } from './entrance.ts';

const database = testDatabase();
const secrets = { read: async () => '' };
const { signal } = new AbortController();
const closers: (() => Promise<void>)[] = [];
let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-entrance-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** One replica that really listens. */
async function replica(db: Database, plane = new FakeControlPlane({ pace: 0, worker: false })) {
  const config = new ChangingConfig({});
  const listen = { host: '127.0.0.1', port: 0 };
  const audit = { sink: new MemoryAuditSink() };
  const entrance = await entranceOf({ home, db, config, audit, secrets, signal }, listen);
  const app = createApi(plane, { ...entrance.services, door: entrance.door! });
  const url = await listenApi(app, listen);
  closers.push(
    () => entrance.close(),
    () => app.close(),
  );
  return { url, entrance, plane };
}

async function signedIn(server: {
  readonly url: string;
  readonly entrance: { signInLink(url: string): Promise<string | null> };
}) {
  const link = await server.entrance.signInLink(server.url);
  expect(link).toContain(`${server.url}/sign-in#code=`);
  const answer = await fetch(`${server.url}/auth/link`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: server.url },
    body: JSON.stringify({ code: link?.split('#code=')[1] }),
  });
  const { csrf } = (await answer.json()) as { csrf: string };
  return { cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? '', csrf };
}

test('the link that is printed signs in on the port that was really taken', async () => {
  const server = await replica(database.db);
  const { cookie } = await signedIn(server);
  const me = await fetch(`${server.url}/api/v1/me`, { headers: { cookie } });
  expect(await me.json()).toMatchObject({ kind: 'local', via: 'link', globalRole: 'admin' });
  const stranger = await fetch(`${server.url}/api/v1/me`);
  expect(stranger.status).toBe(401);
});

test('the token of the data directory still opens loopback, a wrong one nothing', async () => {
  const server = await replica(database.db);
  const token = (await readFile(join(home, 'keys', 'api-token'), 'utf8')).trim();
  const ask = async (authorization: string) =>
    (await fetch(`${server.url}/api/v1/me`, { headers: { authorization } })).status;
  expect(await ask(`Bearer ${token}`)).toBe(200);
  expect(await ask(`Bearer ${token}x`)).toBe(401);
  expect(await ask('Bearer')).toBe(401);
});

test('signing out ends what the session has open, at this replica and at another', async () => {
  const here = await replica(database.db);
  const there = await replica(await database.open(), here.plane);
  const { cookie, csrf } = await signedIn(here);
  const other = await signedIn(here);
  const made = await fetch(`${here.url}/api/v1/tasks`, {
    method: 'POST',
    headers: { cookie, origin: here.url, 'x-berth-csrf': csrf, 'content-type': 'application/json' },
    body: JSON.stringify({ repository: '/srv/lib', text: 'fix it' }),
  });
  const { run } = (await made.json()) as { run: { id: string } };
  const open = async (url: string, value: string) => {
    const answer = await fetch(`${url}/api/v1/runs/${run.id}/stream`, { headers: { cookie: value } });
    expect(answer.status).toBe(200);
    return answer.body!.getReader();
  };
  const ended = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> => {
    for (;;) if ((await reader.read()).done) return 'ended';
  };
  const [one, two, kept] = [
    await open(here.url, cookie),
    await open(there.url, cookie),
    await open(there.url, other.cookie),
  ];
  const out = await fetch(`${here.url}/auth/sign-out`, {
    method: 'POST',
    headers: { cookie, origin: here.url, 'x-berth-csrf': csrf },
  });
  expect(await out.json()).toEqual({ ended: 1 });
  expect(await Promise.all([ended(one), ended(two)])).toEqual(['ended', 'ended']);
  // The other session of the same person goes on.
  const still = await Promise.race([
    ended(kept),
    fetch(`${there.url}/api/v1/me`, { headers: { cookie: other.cookie } }).then((answer) => answer.status),
  ]);
  expect(still).toBe(200);
  await kept.cancel();
});

test('Berth does not start where others reach it and nobody could sign in', async () => {
  const config = new ChangingConfig({});
  const audit = { sink: new MemoryAuditSink() };
  const start = entranceOf(
    { home, secrets, signal, db: database.db, config, audit },
    { host: '0.0.0.0', port: 0 },
  );
  await expect(start).rejects.toMatchObject({ code: 'LISTEN_REFUSED' });
});
