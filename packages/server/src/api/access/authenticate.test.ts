import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Authenticator } from '../../access/authenticator.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { localPrincipal } from '../../domain/access.ts';
import { testDatabase } from '../../testing/database.ts';
import { signInWorld, type SignInWorld, type TestBrowser } from '../../testing/sign-in-world.ts';

const database = testDatabase();
const tokens: Authenticator = {
  authenticate: async ({ headers }) => {
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) return null;
    if (token !== 'good') throw new BerthError('TOKEN_REFUSED');
    return { ...localPrincipal('ci'), via: 'token', tokenId: 'k-1' };
  },
};
let world: SignInWorld;
let page: TestBrowser;
let csrf: string;
beforeAll(() => {
  const signIn = { trustedHeader: { secret: '${env:PROXY}' } };
  world = signInWorld(database.db, { signIn }, { tokens });
  world.secrets['${env:PROXY}'] = 'a secret that only the proxy knows';
});
afterAll(() => world.close());
beforeEach(async () => {
  page = world.browser();
  csrf = await page.signInByLink(world.signIn);
});

const task = { repository: '/srv/lib', text: 'fix it' };
const own = { origin: 'http://127.0.0.1:7420', 'sec-fetch-site': 'same-origin' };

async function post(headers: Record<string, string>, payload: unknown = task) {
  const answer = await page.send({
    method: 'POST',
    url: '/api/v1/tasks',
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
  return answer.status < 300 ? 'done' : answer.json()['code'];
}

test('a page of ours changes things with the value of its session', async () => {
  expect(await post({ ...own, 'x-berth-csrf': csrf })).toBe('done');
  // Browsers that do not send one of the two headers.
  expect(await post({ origin: own.origin, 'x-berth-csrf': csrf })).toBe('done');
  expect(await post({ 'sec-fetch-site': 'same-origin', 'x-berth-csrf': csrf })).toBe('done');
});

test('a page of another site changes nothing, with or without a value', async () => {
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'null', 'sec-fetch-site': 'same-origin' },
    { origin: own.origin, 'sec-fetch-site': 'cross-site' },
    { origin: own.origin, 'sec-fetch-site': 'same-site' },
    { origin: own.origin, 'sec-fetch-site': 'none' },
    // The same host at another port or scheme is another origin.
    { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-site' },
    { origin: 'http://127.0.0.1:8080' },
    { origin: 'https://127.0.0.1:7420' },
    { origin: 'http://localhost:7420' },
    { origin: 'http://127.0.0.1:7420.evil.example' },
    { origin: '' },
    {},
  ];
  for (const headers of foreign) {
    expect(await post({ ...headers, 'x-berth-csrf': csrf })).toBe('CROSS_SITE_REFUSED');
  }
});

test('the value must be there and be that of this session', async () => {
  const other = world.browser();
  const otherValue = await other.signInByLink(world.signIn, 'bert');
  for (const value of [undefined, '', 'x', csrf.slice(0, -1), otherValue, `${csrf}, ${otherValue}`]) {
    const headers = value === undefined ? own : { ...own, 'x-berth-csrf': value };
    expect(await post(headers)).toBe('CSRF_REFUSED');
  }
  // Nor does the value of the session before hold after signing in anew.
  const fresh = await page.signInByLink(world.signIn);
  expect(fresh).not.toBe(csrf);
  expect(await post({ ...own, 'x-berth-csrf': csrf })).toBe('CSRF_REFUSED');
});

test('what a form of another site can send is not read', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    expect(await post({ ...own, 'x-berth-csrf': csrf, 'content-type': type }, JSON.stringify(task))).toBe(
      'USAGE',
    );
  }
});

test('a token needs no value and no origin, and a cookie beside it lends it nothing', async () => {
  expect(await post({ authorization: 'Bearer good', cookie: '' })).toBe('done');
  expect(await post({ authorization: 'Bearer good' })).toBe('done');
  const me = await page.get('/api/v1/me', { authorization: 'Bearer good' });
  expect(me.json()).toMatchObject({ id: 'ci', via: 'token', csrf: null, sessions: [] });
});

test('a bad credential is refused and never let in by another one', async () => {
  expect((await page.get('/api/v1/me')).status).toBe(200);
  const wrong = await page.get('/api/v1/me', { authorization: 'Bearer wrong' });
  expect(wrong.json()).toMatchObject({ code: 'TOKEN_REFUSED' });
  const proof = {
    'x-berth-proxy-secret': world.secrets['${env:PROXY}'] ?? '',
    'x-forwarded-user': 'a@b.example',
  };
  expect((await world.browser().get('/api/v1/me', proof)).status).toBe(200);
  const ended = await world.browser().get('/api/v1/me', { ...proof, cookie: 'berth=gone' });
  expect(ended.json()).toMatchObject({ code: 'SESSION_ENDED' });
});

test('an Authorization header that no way in takes does not switch the protection off', async () => {
  expect(await post({ authorization: 'Basic YTpi' })).toBe('CROSS_SITE_REFUSED');
  expect(await post({ authorization: 'Bearer' })).toBe('CROSS_SITE_REFUSED');
});

test('pages of other sites cannot read either, but links to Berth work', async () => {
  const ask = async (headers: Record<string, string>) => (await page.get('/api/v1/me', headers)).status;
  expect(await ask({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(200);
  expect(await ask({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBe(200);
  for (const mode of ['cors', 'no-cors', 'websocket']) {
    expect(await ask({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode })).toBe(403);
    expect(await ask({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': mode })).toBe(403);
  }
});

test('a WebSocket is opened by our own pages alone', async () => {
  const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
  const ask = async (headers: Record<string, string>) => (await page.get('/api/v1/me', headers)).status;
  expect(await ask({ ...upgrade, origin: own.origin })).toBe(200);
  expect(await ask({ ...upgrade, origin: 'https://evil.example' })).toBe(403);
  expect(await ask(upgrade)).toBe(403);
});

test('no answer allows another origin to read it', async () => {
  const preflight = await page.send({
    method: 'OPTIONS',
    url: '/api/v1/tasks',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
  });
  expect(preflight.status).toBeGreaterThanOrEqual(400);
  for (const answer of [preflight, await page.get('/api/v1/me', { origin: 'https://evil.example' })]) {
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});

test('a foreign name bound to our address is refused on every route, public ones too; probes are answered', async () => {
  for (const host of [
    'evil.example',
    'evil.example:7420',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
  ]) {
    page.host = host;
    for (const url of ['/api/v1/me', '/auth/methods', '/sign-in', '/nothing']) {
      expect((await page.get(url)).json()).toMatchObject({ code: 'HOST_REFUSED' });
    }
    expect((await page.get('/healthz')).status).toBe(200);
  }
  for (const host of ['localhost:7420', '127.0.0.1:1', '[::1]:7420', 'LOCALHOST']) {
    page.host = host;
    expect((await page.get('/auth/methods')).status).toBe(200);
  }
});

test('behind a public address only its name counts', async () => {
  const server = { publicUrl: 'https://berth.example.com', listen: '10.0.0.5:7420' };
  const open = signInWorld(database.db, { server });
  for (const [host, status] of [
    ['berth.example.com', 200],
    ['BERTH.example.com:443', 200],
    ['berth.example.com:8443', 403],
    ['localhost:7420', 403],
    ['10.0.0.5:7420', 403],
  ] as const) {
    const answer = await open.browser().get('/auth/methods', { host });
    expect([host, answer.status]).toEqual([host, status]);
    const isTls = answer.headers['strict-transport-security'] !== undefined;
    expect(isTls).toBe(status === 200);
  }
  // The forwarded name is the client's own word.
  const forwarded = { host: 'evil.example', 'x-forwarded-host': 'berth.example.com' };
  expect((await open.browser().get('/auth/methods', forwarded)).status).toBe(403);
  await open.close();
});

test('every answer carries the headers that protect browsers', async () => {
  for (const url of ['/api/v1/me', '/auth/methods', '/nothing', '/sign-in', '/sign-in/page.js', '/healthz']) {
    const { headers } = await page.get(url);
    expect(headers).toMatchObject({
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  }
});

test('the sign-in page holds no inline code and nothing from elsewhere', async () => {
  const { text } = await page.get('/sign-in');
  expect(text).toContain('<script src="/sign-in/page.js" defer></script>');
  expect(text.replace(/<script src="[^"]+" defer><\/script>/, '')).not.toMatch(
    /<script|<style|\son\w+=|https?:/,
  );
  const script = (await page.get('/sign-in/page.js')).text;
  expect(script).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(/);
});

test('reading changes nothing: no route of GET ends a session or signs in', async () => {
  for (const url of ['/auth/sign-out', '/auth/sign-out-everywhere', '/auth/link?code=x']) {
    expect((await page.get(url)).status).toBe(404);
  }
  expect((await page.get('/api/v1/me')).status).toBe(200);
});

test('signing in by link is for our own page: another site cannot sign a browser in', async () => {
  const code = (await world.signIn.createSignInLink('anna')).url.split('#code=')[1];
  const other = world.browser();
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as const) {
    const foreign = { ...own, ...headers };
    expect((await other.post('/auth/link', { code }, foreign)).json()).toMatchObject({
      code: 'CROSS_SITE_REFUSED',
    });
  }
  // The code was not used up by that.
  expect((await other.post('/auth/link', { code })).status).toBe(200);
});

test('on the unix socket nobody signs in, and /me says who the account is', async () => {
  const { createApi } = await import('../create-api.ts');
  const { FakeControlPlane } = await import('../../testing/fake-control-plane.ts');
  const app = createApi(new FakeControlPlane({ pace: 0, worker: false }), { principal: 'tester' });
  const me = await app.inject({ url: '/api/v1/me', headers: { host: 'localhost' } });
  expect(me.json()).toMatchObject({
    id: 'tester',
    via: 'socket',
    globalRole: 'admin',
    csrf: null,
    sessions: [],
  });
  const link = await app.inject({
    method: 'POST',
    url: '/auth/link',
    payload: { code: 'x' },
    headers: { host: 'berth' },
  });
  expect(link.json()).toMatchObject({ code: 'SIGN_IN_NOT_CONFIGURED' });
  await app.close();
});
