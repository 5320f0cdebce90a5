import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { signInWorld, type SignInWorld } from '../../testing/sign-in-world.ts';
import { newKey, simulatedIssuer, type SimulatedIssuer } from '../../testing/simulated-issuer.ts';

/** Against a simulated provider: no certified one answers what these tests need. */
const database = testDatabase();
const worlds: SignInWorld[] = [];
let issuer: SimulatedIssuer;
beforeAll(async () => {
  issuer = await simulatedIssuer();
});
afterAll(() => issuer.close());
afterEach(async () => {
  issuer.state.isUp = true;
  issuer.state.issuer = issuer.url;
  for (const world of worlds.splice(0)) await world.close();
});

const seconds = (): number => Math.floor(Date.now() / 1_000);

/** Signs in with a token that `make` makes of the claims an honest provider would have signed. */
async function signInWith(make: (claims: Record<string, unknown>) => Promise<string> | string) {
  const oidc = { issuer: issuer.url, clientId: 'berth', admitUnknown: true };
  const world = signInWorld(database.db, { signIn: { oidc } });
  worlds.push(world);
  const page = world.browser();
  const started = await page.get('/auth/oidc/start');
  const sent = new URL(String(started.headers['location'])).searchParams;
  const claims = {
    iss: issuer.url,
    aud: 'berth',
    sub: 'u-1',
    email: 'anna@example.com',
    email_verified: true,
    nonce: sent.get('nonce'),
    iat: seconds(),
    exp: seconds() + 300,
  };
  issuer.state.token = async () => make(claims);
  const answer = await page.get(`/auth/oidc/callback?code=c&state=${sent.get('state')}`);
  return answer.status === 303 ? 'signed in' : answer.json()['code'];
}

test('the honest token of the simulated provider signs in, so that the refusals below mean something', async () => {
  expect(await signInWith((claims) => issuer.sign(claims))).toBe('signed in');
});

test('tokens that do not hold are refused, each with a code', async () => {
  const tries: Record<string, [(claims: Record<string, unknown>) => Promise<string> | string, string]> = {
    'alg none': [(claims) => issuer.unsigned(claims), 'OIDC_TOKEN_REFUSED'],
    'HS256 with the public key': [(claims) => issuer.confused(claims), 'OIDC_TOKEN_REFUSED'],
    'a key that is not the provider’s': [
      (claims) => issuer.sign(claims, newKey('one')),
      'OIDC_TOKEN_REFUSED',
    ],
    'an unknown key': [(claims) => issuer.sign(claims, newKey('other')), 'OIDC_TOKEN_REFUSED'],
    'another audience': [(claims) => issuer.sign({ ...claims, aud: 'other' }), 'OIDC_TOKEN_REFUSED'],
    'several audiences, made for another': [
      (claims) => issuer.sign({ ...claims, aud: ['berth', 'other'], azp: 'other' }),
      'OIDC_TOKEN_REFUSED',
    ],
    'another issuer': [(claims) => issuer.sign({ ...claims, iss: 'https://evil.example' }), 'OIDC_MIX_UP'],
    'another nonce': [(claims) => issuer.sign({ ...claims, nonce: 'x' }), 'OIDC_TOKEN_REFUSED'],
    'no nonce': [(claims) => issuer.sign({ ...claims, nonce: undefined }), 'OIDC_TOKEN_REFUSED'],
    expired: [(claims) => issuer.sign({ ...claims, exp: seconds() - 60 }), 'OIDC_CLOCK'],
    'no expiry': [(claims) => issuer.sign({ ...claims, exp: undefined }), 'OIDC_TOKEN_REFUSED'],
    'not valid yet': [(claims) => issuer.sign({ ...claims, nbf: seconds() + 120 }), 'OIDC_CLOCK'],
    'no subject': [(claims) => issuer.sign({ ...claims, sub: undefined }), 'OIDC_TOKEN_REFUSED'],
    garbage: [() => 'not.a.token', 'OIDC_UNREACHABLE'],
  };
  const codes: Record<string, unknown> = {};
  for (const [name, [make]] of Object.entries(tries)) codes[name] = await signInWith(make);
  expect(codes).toEqual(Object.fromEntries(Object.entries(tries).map(([name, [, code]]) => [name, code])));
});

test('a clock that is off by less than half a minute is forgiven', async () => {
  expect(
    await signInWith((claims) => issuer.sign({ ...claims, iat: seconds() + 20, exp: seconds() - 20 })),
  ).toBe('signed in');
});

test('a discovery document of another issuer is refused', async () => {
  issuer.state.issuer = 'https://evil.example';
  const world = signInWorld(database.db, { signIn: { oidc: { issuer: issuer.url, clientId: 'berth' } } });
  worlds.push(world);
  const answer = await world.browser().get('/auth/oidc/start');
  expect(answer.json()).toMatchObject({ code: 'OIDC_MIX_UP' });
});

test('a provider that falls silent in the middle is a code, and uses the sign-in up', async () => {
  const failing = await signInWith((claims) => {
    issuer.state.isUp = false;
    return issuer.sign(claims);
  });
  expect(failing).toBe('OIDC_UNREACHABLE');
});

test('subjects and names of a hostile provider cannot become somebody else’s id or break lines', async () => {
  const oidc = { issuer: issuer.url, clientId: 'berth', admitUnknown: true };
  const world = signInWorld(database.db, { signIn: { oidc } });
  worlds.push(world);
  const page = world.browser();
  const sent = new URL(String((await page.get('/auth/oidc/start')).headers['location'])).searchParams;
  issuer.state.token = () =>
    issuer.sign({
      iss: issuer.url,
      aud: 'berth',
      sub: 'anna@example.com\n x',
      // The Kelvin sign becomes an ASCII k in lower case.
      email: 'mar\u212a@example.com',
      email_verified: true,
      name: 'Anna\u202e\n<b>',
      nonce: sent.get('nonce'),
      iat: seconds(),
      exp: seconds() + 300,
    });
  await page.get(`/auth/oidc/callback?code=c&state=${sent.get('state')}`);
  const { host } = new URL(issuer.url);
  expect((await page.get('/api/v1/me')).json()).toMatchObject({
    id: `anna%40example.com%0A%20x@${host}`,
    name: 'Anna<b>',
  });
});
