import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { closedServer } from '../../testing/raw-server.ts';
import { oidcClient, realOidc, type RealOidc } from '../../testing/real-oidc.ts';
import { signInWorld, type SignInWorld, type TestBrowser } from '../../testing/sign-in-world.ts';

const database = testDatabase();
const worlds: SignInWorld[] = [];
let provider: RealOidc;
beforeAll(async () => {
  provider = await realOidc();
});
afterAll(() => provider.close());
afterEach(async () => {
  provider.claims = { sub: 'u-1' };
  provider.denies = false;
  for (const world of worlds.splice(0)) await world.close();
  await sql`delete from sessions`.execute(database.db.sql);
});

const people = [{ id: 'anna@example.com', role: 'member' }];

function configOf(oidc: object = {}, rest: object = {}): object {
  const settings = { issuer: provider.issuer, clientId: oidcClient.id, clientSecret: '${env:OIDC}', ...oidc };
  return { signIn: { oidc: settings }, people, ...rest };
}

function start(oidc: object = {}, rest: object = {}): SignInWorld {
  const world = signInWorld(database.db, configOf(oidc, rest));
  world.secrets['${env:OIDC}'] = oidcClient.secret;
  worlds.push(world);
  return world;
}

const anna = { sub: 'u-1', email: 'Anna@Example.com', email_verified: true, name: 'Anna A.' };

/** Begins a sign-in; answers the provider's address. */
async function begin(page: TestBrowser, returnTo = '/'): Promise<string> {
  const answer = await page.get(`/auth/oidc/start?returnTo=${encodeURIComponent(returnTo)}`);
  expect(answer.status).toBe(303);
  return String(answer.headers['location']);
}

async function signIn(page: TestBrowser, returnTo?: string) {
  return page.get(`/auth/oidc/callback?${await provider.walk(await begin(page, returnTo))}`);
}

async function me(page: TestBrowser) {
  return (await page.get('/api/v1/me')).json();
}

test('a person signs in at a real provider and comes back to where they were', async () => {
  const world = start();
  provider.claims = anna;
  const page = world.browser();
  const answer = await signIn(page, '/runs/r-1?tab=diff#e=3');
  expect(answer.text).toBe('');
  expect([answer.status, answer.headers['location']]).toEqual([303, '/runs/r-1?tab=diff#e=3']);
  expect(await me(page)).toMatchObject({
    id: 'anna@example.com',
    name: 'Anna A.',
    kind: 'person',
    via: 'oidc',
    globalRole: 'member',
  });
  // Of the sign-in itself nothing stays.
  expect([...page.cookies.keys()]).toEqual(['berth']);
  expect(world.audit.lines).toEqual(['session.create allowed']);
  expect(world.audit.acts[0]).toMatchObject({ by: 'anna@example.com', byKind: 'person', via: 'oidc' });
});

test('the way out asks for a code with PKCE, state and nonce, all random', async () => {
  const world = start();
  const [one, two] = [new URL(await begin(world.browser())), new URL(await begin(world.browser()))];
  expect(Object.fromEntries(one.searchParams)).toMatchObject({
    response_type: 'code',
    client_id: 'berth',
    code_challenge_method: 'S256',
    redirect_uri: 'http://127.0.0.1:7420/auth/oidc/callback',
    scope: 'openid email profile',
  });
  for (const name of ['state', 'nonce', 'code_challenge']) {
    expect(one.searchParams.get(name)).toMatch(/^[\w-]{43}$/);
    expect(one.searchParams.get(name)).not.toBe(two.searchParams.get(name));
  }
});

test('an address the provider does not vouch for is not who somebody is', async () => {
  const host = new URL(provider.issuer).host;
  for (const email_verified of [false, undefined, 'false', 1]) {
    const world = start({ admitUnknown: true });
    provider.claims = { ...anna, email_verified };
    const page = world.browser();
    await signIn(page);
    // Not the member anna@example.com: somebody without any role.
    expect(await me(page)).toMatchObject({ id: `u-1@${host}`, globalRole: null });
  }
});

test('groups of the provider give roles, wherever its claim puts them', async () => {
  const groups = [{ name: 'platform', claims: ['/eng/platform'], role: 'maintainer' }];
  for (const [groupsClaim, claims] of [
    ['groups', { groups: ['other', '/eng/platform'] }],
    ['groups', { groups: 'other,/eng/platform' }],
    ['realm.roles', { realm: { roles: ['/eng/platform'] } }],
    ['realm', { realm: { '/eng/platform': {} } }],
  ] as const) {
    const world = start({ groupsClaim }, { groups, people: [] });
    provider.claims = { ...anna, ...claims };
    const page = world.browser();
    await signIn(page);
    expect(await me(page)).toMatchObject({ id: 'anna@example.com', globalRole: 'maintainer' });
  }
});

test('somebody without any role is not let in, unless the configuration says so', async () => {
  const world = start({}, { people: [] });
  provider.claims = anna;
  const page = world.browser();
  const answer = await signIn(page);
  expect(answer.json()).toMatchObject({ code: 'NOT_ADMITTED', status: 403 });
  expect(page.cookies.size).toBe(0);
  expect(world.audit.acts).toMatchObject([
    { action: 'session.create', by: 'anna@example.com', result: 'denied', code: 'NOT_ADMITTED' },
  ]);
});

test('roles are those of the moment: granted, taken and disabled without signing in again', async () => {
  const world = start({}, { people: [{ id: 'ANNA@example.com', role: 'viewer' }] });
  provider.claims = anna;
  const page = world.browser();
  await signIn(page);
  expect(await me(page)).toMatchObject({ globalRole: 'viewer' });
  world.config.set(configOf({}, { people: [{ id: 'anna@example.com', role: 'admin' }] }));
  expect(await me(page)).toMatchObject({ globalRole: 'admin' });
  world.config.set(configOf({}, { people: [{ id: 'Anna@example.com', role: 'admin', disabled: true }] }));
  expect(await me(page)).toMatchObject({ code: 'SESSION_ENDED' });
  expect(world.announced).toHaveLength(1);
  expect(world.audit.lines.at(-1)).toBe('session.end denied PERSON_DISABLED');
  // Being enabled again does not bring the session back.
  world.config.set(configOf());
  expect((await page.get('/api/v1/me')).status).toBe(401);
  expect((await signIn(page)).status).toBe(303);
  // Whoever is struck off the list altogether is out as well.
  world.config.set(configOf({}, { people: [] }));
  expect(await me(page)).toMatchObject({ code: 'SESSION_ENDED' });
});

test('a state is used once, by the browser that began, within ten minutes', async () => {
  const world = start();
  provider.claims = anna;
  const [page, attacker] = [world.browser(), world.browser()];
  const back = await provider.walk(await begin(page));
  // Another browser, with the whole answer: login CSRF, or a stolen code.
  const foreign = await attacker.get(`/auth/oidc/callback?${back}`);
  expect(foreign.json()).toMatchObject({ code: 'SIGN_IN_STATE', status: 400 });
  // A browser with a sign-in of its own under way does no better.
  await begin(attacker);
  expect((await attacker.get(`/auth/oidc/callback?${back}`)).json()).toMatchObject({ code: 'SIGN_IN_STATE' });
  const held = [...page.cookies];
  expect((await page.get(`/auth/oidc/callback?${back}`)).status).toBe(303);
  for (const [name, value] of held) page.cookies.set(name, value);
  expect((await page.get(`/auth/oidc/callback?${back}`)).json()).toMatchObject({ code: 'SIGN_IN_STATE' });
  const late = await provider.walk(await begin(page));
  await sql`update oidc_logins set created_at = now() - interval '10 minutes 1 second'`.execute(
    database.db.sql,
  );
  expect((await page.get(`/auth/oidc/callback?${late}`)).json()).toMatchObject({ code: 'SIGN_IN_STATE' });
});

test('of two simultaneous returns with one state, one is signed in', async () => {
  const world = start();
  provider.claims = anna;
  const page = world.browser();
  const back = await provider.walk(await begin(page));
  const cookie = [...page.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => world.browser().get(`/auth/oidc/callback?${back}`, { cookie })),
  );
  expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([303, 400, 400, 400]);
});

test('what was tampered with on the way back is refused with a code', async () => {
  const world = start();
  provider.claims = anna;
  const tries: [string, (back: URLSearchParams) => void, string][] = [
    ['no state', (back) => back.delete('state'), 'SIGN_IN_STATE'],
    ['another state', (back) => back.set('state', 'x'.repeat(43)), 'SIGN_IN_STATE'],
    ['two states', (back) => back.append('state', 'x'), 'OIDC_TOKEN_REFUSED'],
    ['another code', (back) => back.set('code', 'x'), 'OIDC_CODE_REFUSED'],
    ['no code', (back) => back.delete('code'), 'OIDC_TOKEN_REFUSED'],
    ['another issuer (mix-up)', (back) => back.set('iss', 'https://evil.example'), 'OIDC_MIX_UP'],
  ];
  const codes: Record<string, unknown> = {};
  for (const [name, tamper] of tries) {
    const page = world.browser();
    const back = new URLSearchParams(await provider.walk(await begin(page)));
    tamper(back);
    const answer = await page.get(`/auth/oidc/callback?${back.toString()}`);
    codes[name] = answer.json()['code'];
    expect(page.cookies.has('berth')).toBe(false);
  }
  expect(codes).toEqual(Object.fromEntries(tries.map(([name, , code]) => [name, code])));
});

test('a code that another sign-in earned is refused by the provider for want of the PKCE verifier', async () => {
  const world = start();
  provider.claims = anna;
  const [victim, attacker] = [world.browser(), world.browser()];
  const stolen = new URLSearchParams(await provider.walk(await begin(victim)));
  const own = new URLSearchParams(await provider.walk(await begin(attacker)));
  own.set('code', stolen.get('code') ?? '');
  const answer = await attacker.get(`/auth/oidc/callback?${own.toString()}`);
  expect(answer.json()).toMatchObject({ code: 'OIDC_CODE_REFUSED' });
});

test('a nonce of another sign-in is refused: the token was not made for this one', async () => {
  const world = start();
  provider.claims = anna;
  const page = world.browser();
  const back = await provider.walk(await begin(page));
  await sql`update oidc_logins set nonce = 'another'`.execute(database.db.sql);
  expect((await page.get(`/auth/oidc/callback?${back}`)).json()).toMatchObject({
    code: 'OIDC_TOKEN_REFUSED',
  });
});

test('the provider’s refusal is a plain page without a word of the provider in it', async () => {
  const world = start();
  provider.denies = true;
  const page = world.browser();
  const back = await provider.walk(await begin(page));
  const answer = await page.get(`/auth/oidc/callback?${back}`, { accept: 'text/html,*/*' });
  expect(answer.status).toBe(403);
  expect(answer.headers['content-type']).toContain('text/html');
  expect(answer.headers['content-security-policy']).toContain("script-src 'self'");
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.text).toContain('OIDC_DENIED');
  expect(answer.text).not.toContain('alert');
  expect(page.cookies.size).toBe(0);
});

test('returning never leads to another site', async () => {
  const world = start();
  provider.claims = anna;
  for (const wanted of [
    '//evil.example',
    'https://evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'runs',
  ]) {
    expect((await signIn(world.browser(), wanted)).headers['location']).toBe('/');
  }
});

test('a provider that does not answer is a code that can be tried again, and recovers', async () => {
  const world = start({ issuer: await closedServer() });
  const page = world.browser();
  expect((await page.get('/auth/oidc/start')).json()).toMatchObject({
    code: 'OIDC_UNREACHABLE',
    retryable: true,
  });
  world.config.set(configOf());
  provider.claims = anna;
  expect((await signIn(page)).status).toBe(303);
});

test('a client the provider does not know is told apart from a person’s fault', async () => {
  const world = start();
  world.secrets['${env:OIDC}'] = 'wrong';
  provider.claims = anna;
  const page = world.browser();
  const back = await provider.walk(await begin(page));
  expect((await page.get(`/auth/oidc/callback?${back}`)).json()).toMatchObject({
    code: 'OIDC_CLIENT_REFUSED',
  });
  expect(world.audit.lines).toEqual(['session.create failed OIDC_CLIENT_REFUSED']);
});

test('an issuer elsewhere must speak TLS', async () => {
  const world = start({ issuer: 'http://idp.example.com' });
  expect((await world.browser().get('/auth/oidc/start')).json()).toMatchObject({
    code: 'SIGN_IN_MISCONFIGURED',
  });
});

test('several tabs sign in at once without disturbing each other', async () => {
  const world = start();
  provider.claims = anna;
  const page = world.browser();
  const urls = [await begin(page, '/a'), await begin(page, '/b')];
  for (const [place, url] of urls.entries()) {
    const answer = await page.get(`/auth/oidc/callback?${await provider.walk(url)}`);
    expect(answer.headers['location']).toBe(['/a', '/b'][place]);
  }
});
