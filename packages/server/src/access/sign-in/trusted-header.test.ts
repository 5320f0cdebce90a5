import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { signInWorld, type SignInWorld } from '../../testing/sign-in-world.ts';

const database = testDatabase();
const secret = 'a secret that only the proxy knows';
let world: SignInWorld;
beforeEach(() => {
  world = signInWorld(database.db, {
    signIn: { trustedHeader: { secret: '${env:PROXY}' } },
    people: [{ id: 'anna@example.com', role: 'member' }],
    groups: [{ name: 'ops', claims: ['ops'], role: 'maintainer' }],
  });
  world.secrets['${env:PROXY}'] = secret;
});
afterEach(() => world.close());

async function ask(headers: Record<string, string>) {
  return (await world.browser().get('/api/v1/me', headers)).json();
}

const proof = { 'x-berth-proxy-secret': secret };

test('a proxy that proves itself says who is there', async () => {
  const headers = {
    ...proof,
    'x-forwarded-email': 'Anna@Example.com',
    'x-forwarded-preferred-username': 'Anna',
    'x-forwarded-groups': 'dev,ops',
  };
  expect(await ask(headers)).toMatchObject({
    id: 'anna@example.com',
    name: 'Anna',
    via: 'trusted-header',
    globalRole: 'maintainer',
  });
});

test('a name without an address is one of the proxy, never that of a local account or an address', async () => {
  expect(await ask({ ...proof, 'x-forwarded-user': 'root' })).toMatchObject({
    id: 'root@proxy',
    globalRole: null,
  });
  expect(await ask({ ...proof, 'x-forwarded-user': 'anna@example.com x' })).toMatchObject({
    id: 'anna%40example.com%20x@proxy',
  });
});

test('without the secret the headers count for nothing; with a wrong one the request is refused', async () => {
  const named = { 'x-forwarded-user': 'anna@example.com', 'x-forwarded-email': 'anna@example.com' };
  expect(await ask(named)).toMatchObject({ code: 'NOT_SIGNED_IN' });
  expect(await ask({ ...named, 'x-berth-proxy-secret': '' })).toMatchObject({ code: 'NOT_SIGNED_IN' });
  for (const wrong of [
    'x',
    secret.slice(0, -1),
    `${secret}x`,
    secret.toUpperCase(),
    `${secret}, ${secret}`,
  ]) {
    expect(await ask({ ...named, 'x-berth-proxy-secret': wrong })).toMatchObject({ code: 'PROXY_REFUSED' });
  }
  expect(world.audit.acts.every((act) => act.by === 'unknown' && act.result === 'denied')).toBe(true);
});

test('a proxy that names nobody lets nobody in', async () => {
  expect(await ask(proof)).toMatchObject({ code: 'PROXY_REFUSED' });
});

test('a secret that could be guessed, or is missing, opens nothing', async () => {
  for (const weak of ['', 'short']) {
    world.secrets['${env:PROXY}'] = weak;
    const headers = { 'x-berth-proxy-secret': weak === '' ? 'x' : weak, 'x-forwarded-user': 'a' };
    expect(await ask(headers)).toMatchObject({ code: 'SIGN_IN_MISCONFIGURED' });
  }
});

test('without the setting the headers count for nothing, secret or not', async () => {
  world.config.set({});
  expect(await ask({ ...proof, 'x-forwarded-user': 'anna@example.com' })).toMatchObject({
    code: 'NOT_SIGNED_IN',
  });
});

test('somebody who is disabled stays out', async () => {
  world.config.set({
    signIn: { trustedHeader: { secret: '${env:PROXY}' } },
    people: [{ id: 'anna@example.com', role: 'member', disabled: true }],
  });
  expect(await ask({ ...proof, 'x-forwarded-user': 'anna@example.com' })).toMatchObject({
    code: 'PERSON_DISABLED',
  });
});

test('no handler sees the proxy’s headers', async () => {
  const seen: string[] = [];
  world.app.addHook('preHandler', async (request) => void seen.push(...Object.keys(request.headers)));
  await ask({
    ...proof,
    'x-forwarded-user': 'anna@example.com',
    cookie: 'a=b',
    'cf-access-jwt-assertion': 'x',
  });
  expect(seen).not.toEqual([]);
  expect(seen.filter((name) => /proxy-secret|forwarded-user|cookie|cf-access/.test(name))).toEqual([]);
});
