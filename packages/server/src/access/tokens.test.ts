import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Permission } from '../domain/access.ts';
import { systemClock } from '../domain/clock.ts';
import { accessWorld, type AccessWorld } from '../testing/access-world.ts';
import { testDatabase } from '../testing/database.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { failedAttempts, networkOf } from './failed-attempts.ts';
import { revocations } from './revocations.ts';
import { newTokenText, readTokenText } from './token-text.ts';

const database = testDatabase();
const people = {
  people: [
    { id: 'ada@example.org', projects: { web: 'member' } },
    { id: 'root@example.org', role: 'admin' },
  ],
  serviceAccounts: [{ name: 'ci', projects: { web: 'member' } }],
};
let world: AccessWorld;
let web: string;
beforeAll(async () => {
  web = (await ensureProject(database.db, { name: 'web', repository: '/srv/web.git' })).id;
  await ensureProject(database.db, { name: 'api', repository: '/srv/api.git' });
  world = accessWorld(database.db, people);
});
afterAll(async () => world.close());

async function make(
  who: string,
  wish: { permissions?: Permission[]; projects?: string[]; days?: number; serviceAccount?: string } = {},
) {
  return world.tokens.create(await world.person(who), {
    purpose: 'test',
    projects: wish.projects ?? null,
    permissions: wish.permissions ?? null,
    days: wish.days ?? 1,
    serviceAccount: wish.serviceAccount ?? null,
  });
}

async function call(
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  headers: Record<string, string>,
  payload?: object,
) {
  const answer = await world.app.inject({
    method,
    url,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
  const body = answer.body === '' ? null : (answer.json() as Record<string, unknown>);
  return { status: answer.statusCode, code: body?.['code'] ?? null, body, headers: answer.headers };
}

const idsIn = (body: Record<string, unknown> | null): string[] =>
  ((body ?? {})['tokens'] as { id: string }[]).map((one) => one.id);

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
const signedIn = (person: string) => ({ 'x-test-person': person });

test('a token has its owner’s rights, is shown once, and only its hash is kept', async () => {
  const made = await call('POST', '/api/v1/tokens', signedIn('ada@example.org'), {
    purpose: 'laptop',
    projects: ['web'],
    permissions: ['run.read'],
  });
  expect(made.status).toBe(201);
  const { secret, token, preview } = made.body as unknown as Awaited<ReturnType<typeof make>>;
  expect(secret).toMatch(/^berth_[0-9a-z]{16}_[0-9a-z]{58}$/);
  expect(token).toMatchObject({
    owner: 'ada@example.org',
    projects: [{ id: web, name: 'web' }],
    state: 'active',
  });
  expect(Date.parse(token.expiresAt) - Date.parse(token.createdAt)).toBe(30 * 86_400_000);
  expect(preview).toEqual([
    'In web (as member): read tasks, runs and proposals.',
    'On the installation and in other projects: nothing.',
  ]);
  expect((await call('GET', '/api/v1/runs', bearer(secret))).status).toBe(200);
  // The permission was not given.
  expect((await call('GET', '/api/v1/doctor', bearer(secret))).code).toBe('FORBIDDEN');
  expect(world.audit.acts).toContainEqual(
    expect.objectContaining({
      action: 'token.create',
      by: 'ada@example.org',
      object: { kind: 'token', id: token.id, projectId: null },
      details: expect.objectContaining({ owner: 'ada@example.org', projects: [web] }) as unknown,
    }),
  );
  expect(JSON.stringify(world.audit.acts)).not.toContain(secret.slice(23, 60));
  const dump = JSON.stringify(await database.db.sql.selectFrom('api_tokens').selectAll().execute());
  expect(dump).not.toContain(secret.slice(23, 60));
});

test('what the owner loses, the token loses with the next request', async () => {
  const { secret } = await make('root@example.org', { permissions: ['system.read', 'people.manage'] });
  expect((await call('GET', '/api/v1/tokens?all=true', bearer(secret))).status).toBe(200);
  world.config.change({ ...people, people: [{ id: 'root@example.org', role: 'viewer' }] });
  expect((await call('GET', '/api/v1/tokens?all=true', bearer(secret))).code).toBe('FORBIDDEN');
  world.config.change({ ...people, people: [{ id: 'root@example.org', role: 'admin', disabled: true }] });
  expect((await call('GET', '/api/v1/runs', bearer(secret))).code).toBe('TOKEN_OWNER_DISABLED');
  world.config.change(people);
  expect((await call('GET', '/api/v1/tokens?all=true', bearer(secret))).status).toBe(200);
});

test('a token makes no token, neither for its owner nor for a service account', async () => {
  const { secret } = await make('root@example.org');
  for (const body of [{ purpose: 'more' }, { purpose: 'more', serviceAccount: 'ci' }]) {
    const answer = await call('POST', '/api/v1/tokens', bearer(secret), body);
    expect([answer.status, answer.code]).toEqual([403, 'TOKEN_MAY_NOT_MINT']);
  }
});

test('tokens of service accounts are made by admins, and end when the account leaves the configuration', async () => {
  const body = { purpose: 'pipeline', serviceAccount: 'ci', projects: ['web'], permissions: ['task.create'] };
  expect((await call('POST', '/api/v1/tokens', signedIn('ada@example.org'), body)).code).toBe('FORBIDDEN');
  const made = await call('POST', '/api/v1/tokens', signedIn('root@example.org'), body);
  const { secret, token } = made.body as unknown as Awaited<ReturnType<typeof make>>;
  expect(token).toMatchObject({ owner: 'service:ci', createdBy: 'root@example.org' });
  const task = { repository: '/srv/web.git', text: 'fix it' };
  expect((await call('POST', '/api/v1/tasks', bearer(secret), task)).status).toBe(201);
  expect((await call('GET', '/api/v1/runs', bearer(secret))).code).toBe('FORBIDDEN');
  world.config.change({ ...people, serviceAccounts: [] });
  expect((await call('POST', '/api/v1/tasks', bearer(secret), task)).code).toBe('TOKEN_OWNER_DISABLED');
  world.config.change(people);
});

test('a project that is foreign cannot be put into a scope, or be found out about', async () => {
  const foreign = await call('POST', '/api/v1/tokens', signedIn('ada@example.org'), {
    purpose: 'x',
    projects: ['api'],
  });
  const nowhere = await call('POST', '/api/v1/tokens', signedIn('ada@example.org'), {
    purpose: 'x',
    projects: ['zzz'],
  });
  expect([foreign.status, foreign.code]).toEqual([404, 'NOT_FOUND']);
  expect(JSON.stringify({ ...foreign.body, requestId: '' }).replaceAll('api', 'zzz')).toBe(
    JSON.stringify({ ...nowhere.body, requestId: '' }),
  );
});

test('one sees and revokes one’s own tokens, an admin all; others’ answer 404', async () => {
  const mine = await make('ada@example.org');
  const theirs = await make('root@example.org');
  const list = await call('GET', '/api/v1/tokens', signedIn('ada@example.org'));
  const ids = idsIn(list.body);
  expect(ids).toContain(mine.token.id);
  expect(ids).not.toContain(theirs.token.id);
  expect((await call('GET', '/api/v1/tokens?all=true', signedIn('ada@example.org'))).code).toBe('FORBIDDEN');
  const itself = await call('GET', '/api/v1/tokens', bearer(mine.secret));
  expect(idsIn(itself.body)).toEqual([mine.token.id]);
  const refused = await call('DELETE', `/api/v1/tokens/${theirs.token.id}`, signedIn('ada@example.org'));
  expect([refused.status, refused.code]).toEqual([404, 'NOT_FOUND']);
  expect(
    (await call('DELETE', `/api/v1/tokens/${mine.token.id}`, signedIn('root@example.org'))).body,
  ).toMatchObject({
    state: 'revoked',
    revokedBy: 'root@example.org',
  });
  expect((await call('GET', '/api/v1/runs', bearer(mine.secret))).code).toBe('TOKEN_REVOKED');
  expect(world.audit.acts).toContainEqual(
    expect.objectContaining({
      action: 'token.revoke',
      by: 'root@example.org',
      result: 'allowed',
      object: { kind: 'token', id: mine.token.id, projectId: null },
      details: { owner: 'ada@example.org' },
    }),
  );
});

test('a wrong secret, an unknown id and a mistyped token are refused alike; other bearers are not passed on', async () => {
  const { secret, token } = await make('ada@example.org');
  const wrong = newTokenText(token.id).text;
  const unknown = newTokenText('k-0000000000000000').text;
  for (const text of [wrong, unknown, secret.slice(0, -1), `${secret}0`, 'nonsense', '']) {
    const answer = await call('GET', '/api/v1/runs', { ...bearer(text), ...signedIn('ada@example.org') });
    expect([answer.status, answer.code]).toEqual([401, 'TOKEN_REFUSED']);
  }
  expect((await call('GET', '/api/v1/runs', bearer(secret))).status).toBe(200);
  expect(world.audit.acts.filter((act) => act.action === 'token.use').length).toBeGreaterThanOrEqual(6);
});

test('an address with many wrong tokens has to wait; a token that held lately still does', async () => {
  const good = await make('ada@example.org');
  const fresh = await make('ada@example.org');
  expect((await call('GET', '/api/v1/runs', bearer(good.secret))).status).toBe(200);
  let last = await call('GET', '/api/v1/runs', bearer('x'));
  for (let attempt = 0; attempt < 25; attempt += 1) last = await call('GET', '/api/v1/runs', bearer('x'));
  expect([last.status, last.code]).toEqual([429, 'TOO_MANY_ATTEMPTS']);
  expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
  expect((await call('GET', '/api/v1/runs', bearer(good.secret))).status).toBe(200);
  expect((await call('GET', '/api/v1/runs', bearer(fresh.secret))).code).toBe('TOO_MANY_ATTEMPTS');
});

test('a token that held lately is slowed down like any other once it is revoked', async () => {
  const own = accessWorld(database.db, people);
  const by = await own.person('ada@example.org');
  const wish = { purpose: 'test', projects: null, permissions: null, days: 1, serviceAccount: null };
  const { token, secret } = await own.tokens.create(by, wish);
  const ask = async (): Promise<number> =>
    (await own.app.inject({ url: '/api/v1/runs', headers: bearer(secret) })).statusCode;
  expect(await ask()).toBe(200);
  await own.tokens.revoke(by, token.id);
  const answers: number[] = [];
  for (let attempt = 0; attempt < 25; attempt += 1) answers.push(await ask());
  expect(answers[0]).toBe(401);
  expect(answers.at(-1)).toBe(429);
  // Every answer that was not held up is counted on record: there are few.
  expect(own.audit.acts.filter(({ action }) => action === 'token.use').length).toBeLessThanOrEqual(20);
  await own.close();
});

test('the last use is noted, without the query, and not again within a minute', async () => {
  const { db } = database;
  const other = accessWorld(db, people);
  const { secret, token } = await make('ada@example.org');
  await other.app.inject({ url: '/api/v1/runs?limit=3', headers: bearer(secret) });
  await other.app.inject({ url: '/api/v1/proposals', headers: bearer(secret) });
  expect((await other.tokens.get(token.id))?.lastUsed).toMatchObject({
    route: 'GET /api/v1/runs',
    address: '127.0.0.1',
  });
  await other.close();
});

test('an expired token is refused, and its age is the database’s', async () => {
  const { secret, token } = await make('ada@example.org', { days: 0.000_001 });
  const fresh = accessWorld(database.db, people);
  await expect
    .poll(
      async () =>
        (await fresh.app.inject({ url: '/api/v1/runs', headers: bearer(secret) })).json<{ code?: string }>()
          .code,
    )
    .toBe('TOKEN_EXPIRED');
  expect((await fresh.tokens.get(token.id))?.state).toBe('expired');
  await fresh.close();
});

test('a token of the machine’s account holds only where the server runs as that account', async () => {
  const { secret } = await make('local');
  const fresh = accessWorld(database.db, people);
  expect(
    (await fresh.app.inject({ url: '/api/v1/tokens?all=true', headers: bearer(secret) })).statusCode,
  ).toBe(200);
  await database.db.sql
    .updateTable('api_tokens')
    .set({ owner: 'other' })
    .where('owner', '=', 'tester')
    .execute();
  expect((await fresh.app.inject({ url: '/api/v1/runs', headers: bearer(secret) })).statusCode).toBe(401);
  await fresh.close();
});

test('a revocation ends open streams here at once, and at other replicas when they hear it', async () => {
  const other = await database.open();
  const elsewhere = revocations(other);
  const { token } = await make('root@example.org');
  const principal = { ...(await world.person('root@example.org')), tokenId: token.id, sessionId: null };
  const until = new AbortController();
  const here = world.revocations.signalFor(principal, until.signal);
  const there = elsewhere.signalFor(principal, until.signal);
  const untouched = elsewhere.signalFor({ ...principal, tokenId: 'k-other' }, until.signal);
  const session = elsewhere.signalFor({ ...principal, tokenId: null, sessionId: 'n-1' }, until.signal);
  await world.tokens.revoke(await world.person('root@example.org'), token.id);
  expect(here.aborted).toBe(true);
  await expect.poll(() => there.aborted).toBe(true);
  await world.revocations.announce(['n-1'], new Date(Date.now() + 60_000));
  await expect.poll(() => session.aborted).toBe(true);
  expect(untouched.aborted).toBe(false);
  // Watched only after it was revoked: found without any notification.
  const late = elsewhere.signalFor(principal, until.signal);
  await expect.poll(() => late.aborted).toBe(true);
  await elsewhere.close();
});

test('changed roles end the streams of people, not those of the machine’s account; a closed stream is forgotten', async () => {
  const until = new AbortController();
  const closed = new AbortController();
  const ada = world.revocations.signalFor(await world.person('ada@example.org'), until.signal);
  const gone = world.revocations.signalFor(await world.person('ada@example.org'), closed.signal);
  const local = world.revocations.signalFor(await world.person('local'), until.signal);
  closed.abort();
  world.config.change({ ...people, limits: {} });
  expect(ada.aborted).toBe(false);
  world.config.change({ ...people, people: [] });
  expect([ada.aborted, gone.aborted, local.aborted]).toEqual([true, false, false]);
  world.config.change(people);
});

test('addresses count by network: a whole /64, and IPv4 by itself', () => {
  expect(networkOf('2001:db8::1')).toBe(networkOf('2001:0db8:0:0:ffff::2'));
  expect(networkOf('2001:db8::1')).not.toBe(networkOf('2001:db8:0:1::1'));
  expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
  const attempts = failedAttempts(systemClock);
  for (let place = 0; place < 30_000; place += 1)
    attempts.add(`10.${place >> 16}.${(place >> 8) & 255}.${place & 255}`);
  for (let count = 0; count < 20; count += 1) attempts.add('192.0.2.1');
  expect(() => attempts.check('192.0.2.1')).toThrow('Too many');
  expect(() => attempts.check('192.0.2.2')).not.toThrow();
});

test('a token’s text is read back, and no other is', () => {
  const { text, hash } = newTokenText('k-0123456789abcdef');
  expect(readTokenText(text)).toEqual({ id: 'k-0123456789abcdef', hash });
  for (let place = 0; place < text.length; place += 1) {
    const changed = `${text.slice(0, place)}${text[place] === 'x' ? 'y' : 'x'}${text.slice(place + 1)}`;
    expect(readTokenText(changed)).toBeNull();
  }
});
