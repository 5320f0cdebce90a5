import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { linkCode, signInWorld, type SignInWorld } from '../../testing/sign-in-world.ts';
import { hashSecret } from './secret.ts';

const database = testDatabase();
const worlds: SignInWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
  for (const table of ['sessions', 'sign_in_links'])
    await sql.raw(`delete from ${table}`).execute(database.db.sql);
});

function start(input: object = {}): SignInWorld {
  const world = signInWorld(database.db, input);
  worlds.push(world);
  return world;
}

async function age(interval: string, column: 'created_at' | 'last_used_at' | 'both' = 'both'): Promise<void> {
  const columns = column === 'both' ? ['created_at', 'last_used_at'] : [column];
  const set = columns.map((one) => `${one} = ${one} - interval '${interval}'`).join(', ');
  await sql.raw(`update sessions set ${set}`).execute(database.db.sql);
}

test('a one-time link signs the account of this machine in, as its admin', async () => {
  const { signIn, browser, audit } = start();
  const { url, expiresAt } = await signIn.createSignInLink('anna');
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:7420\/sign-in#code=[\w-]{43}$/);
  expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(9 * 60_000);
  const page = browser();
  const answer = await page.post('/auth/link', { code: url.split('#code=')[1] });
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({ id: 'anna', name: 'anna', returnTo: '/' });
  const [cookie] = answer.setCookies;
  expect(cookie).toMatch(/^berth=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800$/);
  const me = (await page.get('/api/v1/me')).json<{ sessions: object[]; csrf: string }>();
  expect(me).toMatchObject({ id: 'anna', kind: 'local', via: 'link', globalRole: 'admin' });
  expect(me.sessions).toMatchObject([{ current: true, via: 'link', address: '127.0.0.1' }]);
  expect(me.csrf).toBe(answer.json<{ csrf: string }>().csrf);
  expect(audit.lines).toEqual(['session.link allowed', 'session.create allowed']);
  expect(audit.acts[1]).toMatchObject({
    by: 'anna',
    via: 'link',
    object: { kind: 'session', id: expect.stringMatching(/^n-/) },
    from: { address: '127.0.0.1' },
  });
});

test('the database holds no secret that would let its reader in', async () => {
  const { signIn, browser } = start();
  const code = await linkCode(signIn);
  const page = browser();
  const unused = await linkCode(signIn);
  await page.post('/auth/link', { code });
  const cookie = page.cookies.get('berth') ?? '';
  const { rows } = await sql<{ text: string }>`
    select (select json_agg(s)::text from sessions s) || (select json_agg(l)::text from sign_in_links l) as text
  `.execute(database.db.sql);
  expect(rows[0]?.text).toContain(hashSecret(cookie));
  expect(rows[0]?.text).toContain(hashSecret(unused));
  for (const secret of [cookie, code, unused]) expect(rows[0]?.text).not.toContain(secret);
  // What is stored is no key either.
  page.cookies.set('berth', hashSecret(cookie));
  expect((await page.get('/api/v1/me')).json()).toMatchObject({ code: 'SESSION_ENDED' });
});

test('a link works once, also when two browsers use it at the same moment', async () => {
  const { signIn, browser, audit } = start();
  const code = await linkCode(signIn);
  const answers = await Promise.all(Array.from({ length: 6 }, () => browser().post('/auth/link', { code })));
  expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([
    200, 401, 401, 401, 401, 401,
  ]);
  const again = await browser().post('/auth/link', { code });
  expect(again.json()).toMatchObject({ code: 'SIGN_IN_LINK_REFUSED' });
  expect(again.setCookies).toEqual([]);
  expect(audit.lines.filter((line) => line === 'session.create allowed')).toHaveLength(1);
  expect(audit.lines.filter((line) => line === 'session.create denied SIGN_IN_LINK_REFUSED')).toHaveLength(6);
});

test('used, expired and never-made codes are answered alike, so none can be told from another', async () => {
  const { signIn, browser } = start();
  const used = await linkCode(signIn);
  await browser().post('/auth/link', { code: used });
  const expired = await linkCode(signIn);
  await sql`update sign_in_links set created_at = now() - interval '10 minutes 1 second'`.execute(
    database.db.sql,
  );
  const answers = await Promise.all(
    [used, expired, 'x'.repeat(43), 'short'].map((code) => browser().post('/auth/link', { code })),
  );
  const plain = answers.map(({ status, headers, json }) => {
    const { requestId: _, ...problem } = json();
    return JSON.stringify([status, Object.keys(headers).toSorted(), problem]);
  });
  expect(new Set(plain).size).toBe(1);
});

test('the session id is new at each sign-in: one that was planted before is never signed in', async () => {
  const { signIn, browser } = start();
  const page = browser();
  page.cookies.set('berth', 'planted-by-an-attacker');
  await page.post('/auth/link', { code: await linkCode(signIn) });
  const first = page.cookies.get('berth') ?? '';
  expect(first).not.toBe('planted-by-an-attacker');
  await page.post('/auth/link', { code: await linkCode(signIn) });
  expect(page.cookies.get('berth')).not.toBe(first);
  const thief = browser();
  for (const value of ['planted-by-an-attacker', first]) {
    thief.cookies.set('berth', value);
    expect((await thief.get('/api/v1/me')).status).toBe(401);
  }
});

test('a cookie stolen before sign-out is worth nothing after it, and what the session opened is told', async () => {
  const { signIn, browser, announced, audit } = start();
  const page = browser();
  const csrf = await page.signInByLink(signIn);
  const thief = browser();
  thief.cookies.set('berth', page.cookies.get('berth') ?? '');
  expect((await thief.get('/api/v1/me')).status).toBe(200);
  const { sessions } = (await page.get('/api/v1/me')).json<{ sessions: { id: string }[] }>();
  const out = await page.post('/auth/sign-out', undefined, { 'x-berth-csrf': csrf });
  expect(out.json()).toEqual({ ended: 1 });
  expect(out.setCookies).toEqual(['berth=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0']);
  const answer = await thief.get('/api/v1/me');
  expect(answer.json()).toMatchObject({ code: 'SESSION_ENDED', status: 401 });
  // The browser forgets it and can come in again.
  expect(answer.setCookies).toEqual(['berth=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0']);
  expect(announced).toEqual(sessions.map((session) => session.id));
  expect(audit.lines.at(-1)).toBe('session.end allowed');
  expect(audit.acts.at(-1)).toMatchObject({
    by: 'anna',
    tokenId: announced[0],
    object: { id: announced[0] },
  });
});

test('signing out everywhere ends all sessions of the person and nobody else', async () => {
  const { signIn, browser, announced } = start();
  const [one, two, other] = [browser(), browser(), browser()];
  const csrf = await one.signInByLink(signIn);
  await two.signInByLink(signIn);
  await other.signInByLink(signIn, 'bert');
  const answer = await one.post('/auth/sign-out-everywhere', undefined, { 'x-berth-csrf': csrf });
  expect(answer.json()).toEqual({ ended: 2 });
  expect(announced).toHaveLength(2);
  expect((await two.get('/api/v1/me')).status).toBe(401);
  expect((await other.get('/api/v1/me')).status).toBe(200);
});

test('one session is ended by its owner, and by no one else', async () => {
  const { signIn, browser } = start();
  const [one, two, other] = [browser(), browser(), browser()];
  const csrf = await one.signInByLink(signIn);
  await two.signInByLink(signIn);
  const foreign = await other.signInByLink(signIn, 'bert');
  const { sessions } = (await one.get('/api/v1/me')).json<{ sessions: { id: string; current: boolean }[] }>();
  const id = sessions.find((session) => !session.current)?.id ?? '';
  const end = (page: typeof one, value: string) =>
    page.send({
      method: 'DELETE',
      url: `/api/v1/me/sessions/${id}`,
      headers: { origin: 'http://127.0.0.1:7420', 'x-berth-csrf': value },
    });
  expect((await end(other, foreign)).json()).toMatchObject({ code: 'NOT_FOUND' });
  expect((await two.get('/api/v1/me')).status).toBe(200);
  expect((await end(one, csrf)).json()).toEqual({ ended: 1 });
  expect((await two.get('/api/v1/me')).status).toBe(401);
  expect((await one.get('/api/v1/me')).status).toBe(200);
});

test('a session ends when it was idle too long or is too old, by the clock of the database', async () => {
  const { signIn, browser, config } = start({ signIn: { sessions: { idle: '1h', absolute: '1d' } } });
  const page = browser();
  const alive = async () => (await page.get('/api/v1/me')).status === 200;
  await page.signInByLink(signIn);
  await age('59 minutes', 'last_used_at');
  expect(await alive()).toBe(true);
  // That request counted as a use.
  await age('59 minutes', 'last_used_at');
  expect(await alive()).toBe(true);
  await age('61 minutes', 'last_used_at');
  expect(await alive()).toBe(false);
  await page.signInByLink(signIn);
  await age('23 hours', 'created_at');
  expect(await alive()).toBe(true);
  // A shorter time in the configuration applies at once.
  config.set({ signIn: { sessions: { idle: '1h', absolute: '12h' } } });
  expect(await alive()).toBe(false);
  config.set({ signIn: { sessions: { idle: '1h', absolute: '1d' } } });
  await page.signInByLink(signIn);
  await age('25 hours', 'created_at');
  expect(await alive()).toBe(false);
});

test('the last use is written at most once a minute', async () => {
  const { signIn, browser } = start();
  const page = browser();
  await page.signInByLink(signIn);
  const read = async () =>
    (
      await sql<{
        used: string;
        agent: string;
      }>`select last_used_at::text as used, agent from sessions`.execute(database.db.sql)
    ).rows[0];
  const before = await read();
  await page.get('/api/v1/me', { 'user-agent': 'other' });
  expect(await read()).toEqual(before);
  await age('61 seconds');
  const aged = await read();
  await page.get('/api/v1/me', { 'user-agent': 'new\u00e9 browser' });
  const after = await read();
  expect(after?.used).not.toBe(aged?.used);
  expect(after?.agent).toBe('new? browser');
});

test('two cookies of one name are refused: one of them was planted by a neighbour', async () => {
  const { signIn, browser } = start();
  const page = browser();
  await page.signInByLink(signIn);
  const own = page.cookies.get('berth') ?? '';
  for (const cookie of [`berth=tossed; berth=${own}`, `berth=${own}; berth=tossed`]) {
    const answer = await page.get('/api/v1/me', { cookie });
    expect(answer.json()).toMatchObject({ code: 'SESSION_ENDED' });
  }
  // Names that only resemble ours are nothing.
  expect((await browser().get('/api/v1/me', { cookie: `xberth=${own}; Berth=${own}` })).json()).toMatchObject(
    {
      code: 'NOT_SIGNED_IN',
    },
  );
});

test('where TLS is spoken, only the cookie that browsers protect is a session', async () => {
  const server = { publicUrl: 'https://berth.example.com', listen: '0.0.0.0:7420' };
  const world = signInWorld(database.db, { server }, { allowLinks: true });
  worlds.push(world);
  const page = world.browser();
  page.host = 'berth.example.com';
  const code = await linkCode(world.signIn);
  const answer = await page.post('/auth/link', { code }, { origin: 'https://berth.example.com' });
  // Not reached by a loopback name: links are for this machine unless they are allowed.
  expect(answer.setCookies[0]).toMatch(
    /^__Host-berth=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=/,
  );
  expect((await page.get('/api/v1/me')).status).toBe(200);
  const value = page.cookies.get('__Host-berth') ?? '';
  const tossed = await world.browser().get('/api/v1/me', { host: page.host, cookie: `berth=${value}` });
  expect(tossed.json()).toMatchObject({ code: 'NOT_SIGNED_IN' });
});

test('one-time links are for loopback: not elsewhere, and not through a proxy before it', async () => {
  const listen = '0.0.0.0:7420';
  const open = start({ server: { publicUrl: 'https://berth.example.com', listen } });
  await expect(open.signIn.createSignInLink('anna')).rejects.toMatchObject({
    code: 'SIGN_IN_NOT_CONFIGURED',
  });
  const proxied = start({ server: { publicUrl: 'https://berth.example.com' } });
  const code = await linkCode(proxied.signIn);
  const page = proxied.browser();
  page.host = 'berth.example.com';
  const answer = await page.post('/auth/link', { code }, { origin: 'https://berth.example.com' });
  expect(answer.json()).toMatchObject({ code: 'SIGN_IN_NOT_CONFIGURED' });
});

test('an act that cannot be recorded is not done', async () => {
  const { signIn, browser, audit } = start();
  const code = await linkCode(signIn);
  audit.failure = new Error('away');
  const answer = await browser().post('/auth/link', { code });
  expect(answer.status).toBe(500);
  expect(answer.setCookies).toEqual([]);
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from sessions`.execute(database.db.sql);
  expect(rows[0]?.n).toBe(0);
});

test('failed sign-ins of one address are slowed down; others are not', async () => {
  const { browser } = start();
  const proxied = start({ server: { trustedProxies: ['127.0.0.1'] } });
  const codes = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    codes.push((await browser().post('/auth/link', { code: `guess-${attempt}` })).json()['code']);
  }
  expect(codes).toEqual([
    ...Array<string>(10).fill('SIGN_IN_LINK_REFUSED'),
    'TOO_MANY_ATTEMPTS',
    'TOO_MANY_ATTEMPTS',
  ]);
  const from = async (address: string) =>
    (await proxied.browser().post('/auth/link', { code: 'guess' }, { 'x-forwarded-for': address })).json()[
      'code'
    ];
  for (let attempt = 0; attempt < 10; attempt += 1) await from('203.0.113.9');
  expect(await from('203.0.113.9')).toBe('TOO_MANY_ATTEMPTS');
  expect(await from('203.0.113.10')).toBe('SIGN_IN_LINK_REFUSED');
});

test('sessions that are over are removed, told and recorded', async () => {
  const { signIn, browser } = start();
  await browser().signInByLink(signIn);
  await age('8 days');
  await browser().signInByLink(signIn);
  const { sweep } = await import('./sessions.ts');
  const announced: string[] = [];
  const over = await sweep(database.db, async (ids) => void announced.push(...ids), {
    idle: '12h',
    absolute: '7d',
  });
  expect(over).toMatchObject([{ principal: 'anna', kind: 'local' }]);
  expect(announced).toEqual(over.map((session) => session.id));
  expect(await sweep(database.db, async () => undefined, { idle: '12h', absolute: '7d' })).toEqual([]);
});
