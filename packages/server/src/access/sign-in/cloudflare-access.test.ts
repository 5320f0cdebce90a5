import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { signInWorld, type SignInWorld } from '../../testing/sign-in-world.ts';
import { newKey, simulatedIssuer, type SimulatedIssuer } from '../../testing/simulated-issuer.ts';

/** Against a simulated team server: Cloudflare's own cannot be reached from tests. */
const database = testDatabase();
let team: SimulatedIssuer;
let world: SignInWorld;
beforeAll(async () => {
  team = await simulatedIssuer();
});
afterAll(() => team.close());
beforeEach(() => {
  team.state.keys = [newKey('one')];
  team.state.isUp = true;
  world = signInWorld(database.db, {
    signIn: { cloudflareAccess: { team: team.url, audience: 'aud-tag' } },
    people: [{ id: 'anna@example.com', role: 'member' }],
  });
});
afterEach(() => world.close());

const seconds = (): number => Math.floor(Date.now() / 1_000);

function claims(more: Record<string, unknown> = {}): Record<string, unknown> {
  const times = { iat: seconds(), nbf: seconds(), exp: seconds() + 300 };
  return {
    iss: team.url,
    aud: ['aud-tag'],
    email: 'Anna@example.com',
    sub: 'u',
    type: 'app',
    ...times,
    ...more,
  };
}

async function ask(assertion: string, headers: Record<string, string> = {}) {
  const answer = await world
    .browser()
    .get('/api/v1/me', { ...(assertion === '' ? {} : { 'cf-access-jwt-assertion': assertion }), ...headers });
  return answer.json();
}

test('a verified assertion of the team says who is there', async () => {
  expect(await ask(await team.sign(claims()))).toMatchObject({
    id: 'anna@example.com',
    via: 'cloudflare-access',
    globalRole: 'member',
  });
});

test('assertions that do not hold are refused, and nothing else lets them in', async () => {
  const good = await team.sign(claims());
  const assertions: Record<string, string> = {
    'alg none': team.unsigned(claims()),
    'HS256 with the public key': await team.confused(claims()),
    'another key under the same name': await team.sign(claims(), newKey('one')),
    'an unknown key': await team.sign(claims(), newKey('nobody')),
    'another audience': await team.sign(claims({ aud: ['other-app'] })),
    'no audience': await team.sign(claims({ aud: undefined })),
    'another team': await team.sign(claims({ iss: 'https://evil.cloudflareaccess.com' })),
    expired: await team.sign(claims({ exp: seconds() - 60 })),
    'never expiring': await team.sign(claims({ exp: undefined })),
    'not valid yet': await team.sign(claims({ nbf: seconds() + 120 })),
    'no e-mail address': await team.sign(claims({ email: undefined })),
    'two of them': `${good}, ${good}`,
    cut: good.slice(0, -4),
    nonsense: 'nonsense',
  };
  const codes: Record<string, unknown> = {};
  for (const [name, assertion] of Object.entries(assertions)) codes[name] = (await ask(assertion))['code'];
  // After ten of them the address is told to wait.
  const answers = Object.values(codes);
  expect(answers.slice(0, 10)).toEqual(Array<string>(10).fill('ASSERTION_REFUSED'));
  expect(new Set(answers.slice(10))).toEqual(new Set(['TOO_MANY_ATTEMPTS']));
  expect(world.audit.lines).toEqual(Array<string>(10).fill('session.create denied ASSERTION_REFUSED'));
  // Whoever comes through the same proxy with one that holds is let in all the same.
  expect(await ask(good)).toMatchObject({ id: 'anna@example.com' });
});

test('the cookie of Cloudflare Access is not looked at: other sites of the domain can set it', async () => {
  const good = await team.sign(claims());
  expect(await ask('', { cookie: `CF_Authorization=${good}` })).toMatchObject({ code: 'NOT_SIGNED_IN' });
});

test('service tokens of Cloudflare are nobody here', async () => {
  const service = claims({ common_name: 'ci.access', email: 'anna@example.com', sub: '' });
  expect(await ask(await team.sign(service))).toMatchObject({ code: 'NOT_SIGNED_IN' });
});

test('without the setting the header counts for nothing', async () => {
  world.config.set({});
  expect(await ask(await team.sign(claims()))).toMatchObject({ code: 'NOT_SIGNED_IN' });
});

test('a new key of the team is found, a removed one forgotten with the next reading', async () => {
  expect(await ask(await team.sign(claims()))).toMatchObject({ id: 'anna@example.com' });
  const other = signInWorld(database.db, {
    signIn: { cloudflareAccess: { team: team.url, audience: 'aud-tag' } },
  });
  const [old] = team.state.keys;
  team.state.keys = [newKey('two')];
  const page = other.browser();
  const header = 'cf-access-jwt-assertion';
  expect((await page.get('/api/v1/me', { [header]: await team.sign(claims()) })).status).toBe(200);
  expect((await page.get('/api/v1/me', { [header]: await team.sign(claims(), old) })).status).toBe(401);
  await other.close();
});

test('unknown keys do not make us ask the team again and again', async () => {
  await ask(await team.sign(claims()));
  const before = team.state.keyRequests;
  for (let time = 0; time < 5; time += 1) await ask(await team.sign(claims(), newKey('nobody')));
  expect(team.state.keyRequests - before).toBeLessThanOrEqual(1);
});

test('keys that cannot be read are told apart from a bad assertion, and can be tried again', async () => {
  team.state.isUp = false;
  const good = await team.sign(claims());
  expect(await ask(good)).toMatchObject({ code: 'ASSERTION_KEYS_UNREACHABLE', retryable: true, status: 503 });
  team.state.isUp = true;
  expect(await ask(good)).toMatchObject({ id: 'anna@example.com' });
});

test('changes need the value of the person: a page of another site cannot make them', async () => {
  const page = world.browser();
  const header = { 'cf-access-jwt-assertion': await team.sign(claims()) };
  const { csrf } = (await page.get('/api/v1/me', header)).json<{ csrf: string }>();
  expect((await page.post('/auth/sign-out', undefined, header)).json()).toMatchObject({
    code: 'CSRF_REFUSED',
  });
  expect((await page.post('/auth/sign-out', undefined, { ...header, 'x-berth-csrf': csrf })).status).toBe(
    200,
  );
});
