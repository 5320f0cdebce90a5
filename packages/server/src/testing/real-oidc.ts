import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

export interface RealOidc {
  readonly issuer: string;
  /** Claims of whoever signs in next; `sub` names the account. */
  claims: Record<string, unknown>;
  /** The person says no. */
  denies: boolean;
  /** Goes through the provider as a browser does, with cookies and redirects; answers the query of the way back. */
  walk(url: string): Promise<string>;
  close(): Promise<void>;
}

export const oidcClient = { id: 'berth', secret: 'a secret of the client that is long enough' };

/** A certified OpenID Connect server on loopback. It demands PKCE. */
export async function realOidc(
  options: { readonly redirectUri: string; readonly claimsInToken?: boolean } = {
    redirectUri: 'http://127.0.0.1:7420/auth/oidc/callback',
  },
): Promise<RealOidc> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const world = { claims: { sub: 'u-1' } as Record<string, unknown>, denies: false };
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: oidcClient.id,
        client_secret: oidcClient.secret,
        redirect_uris: [options.redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups', 'realm'] },
    conformIdTokenClaims: options.claimsInToken !== true,
    cookies: { keys: ['only for tests'] },
    jwks: { keys: [signingKey()] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ ...world.claims, sub }) }),
    loadExistingGrant: async (context: {
      oidc: { client: { clientId: string }; session: { accountId: string } };
    }) => {
      const grant = new provider.Grant({
        accountId: context.oidc.session.accountId,
        clientId: context.oidc.client.clientId,
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/') !== true) return handle(request, response);
    const result = world.denies
      ? { error: 'access_denied', error_description: '<script>alert(1)</script>' }
      : { login: { accountId: String(world.claims['sub']) } };
    provider.interactionFinished(request, response, result).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  return Object.assign(world, {
    issuer,
    walk: (url: string) => walk(url, options.redirectUri),
    close: () => close(server),
  });
}

/** Follows redirects until they lead back to us. */
async function walk(start: string, back: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  for (let hop = 0; hop < 10; hop += 1) {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    const text = await answer.text();
    for (const line of answer.headers.getSetCookie()) {
      const pair = line.split(';')[0] ?? '';
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = answer.headers.get('location');
    if (location === null)
      throw new Error(`the provider stopped with ${answer.status}: ${text.slice(0, 2_000)}`);
    if (location.startsWith(back)) return new URL(location).search.slice(1);
    url = new URL(location, url).href;
  }
  throw new Error('the provider never came back');
}

function signingKey(): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' };
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
