import * as client from 'openid-client';
import type { SignInConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../../store/database.ts';
import type { Identity } from '../roles-of.ts';
import { groupsOf, oidcIdentity } from './identity-claims.ts';
import { oidcFailure } from './oidc-failure.ts';
import { rememberLogin, takeLogin } from './oidc-logins.ts';
import { isLoopbackName } from './place.ts';
import { newSecret } from './secret.ts';

export type OidcSettings = NonNullable<SignInConfig['oidc']>;

/** How far the provider's clock may be off. */
const clockToleranceSeconds = 30;
const timeoutSeconds = 10;
/** How long what the provider says about itself is believed. */
const discoveryLifeMs = 10 * 60_000;

export interface OidcOptions {
  readonly db: Database;
  /** Value of a secret reference. */
  readonly resolveSecret: (reference: string) => Promise<string>;
  /** Instead of `fetch`, for networks with a proxy of their own. */
  readonly fetch?: client.CustomFetch;
}

export interface Oidc {
  /** Address of the provider to send the browser to, and what the browser must hold until it is back. */
  start(
    settings: OidcSettings,
    where: { readonly redirectUri: string; readonly returnTo: string },
  ): Promise<{ readonly url: string; readonly state: string; readonly browserSecret: string }>;
  /**
   * Who came back, and where to.
   * @param query what the provider sent along, as it stands in the address
   * @throws BerthError `SIGN_IN_STATE` and the codes of OpenID Connect
   */
  finish(
    settings: OidcSettings,
    answer: { readonly query: string; readonly browserSecret: string | null },
  ): Promise<{ readonly identity: Identity; readonly returnTo: string }>;
}

/** Signing in by OpenID Connect: authorization code with PKCE, state and nonce. */
export function oidcSignIn({ db, resolveSecret, fetch }: OidcOptions): Oidc {
  let known: {
    readonly key: string;
    readonly untilMs: number;
    readonly made: Promise<client.Configuration>;
  } | null = null;

  const discovered = async (settings: OidcSettings): Promise<client.Configuration> => {
    const secret = settings.clientSecret === undefined ? null : await resolveSecret(settings.clientSecret);
    const key = JSON.stringify([settings.issuer, settings.clientId, secret]);
    if (known?.key === key && known.untilMs > db.clock.monotonicMs()) return known.made;
    const made = discover(settings, secret, fetch);
    known = { key, untilMs: db.clock.monotonicMs() + discoveryLifeMs, made };
    made.catch(() => {
      if (known?.made === made) known = null;
    });
    return made;
  };

  return {
    async start(settings, { redirectUri, returnTo }) {
      const provider = await discovered(settings).catch((error: unknown) => {
        throw oidcFailure(error);
      });
      const [state, browserSecret, nonce] = [newSecret(), newSecret(), newSecret()];
      const verifier = client.randomPKCECodeVerifier();
      const challenge = await client.calculatePKCECodeChallenge(verifier);
      const url = client.buildAuthorizationUrl(provider, {
        redirect_uri: redirectUri,
        scope: settings.scopes.join(' '),
        code_challenge: challenge,
        code_challenge_method: 'S256',
        state,
        nonce,
      });
      const login = {
        issuer: settings.issuer,
        clientId: settings.clientId,
        redirectUri,
        nonce,
        verifier,
        returnTo,
      };
      await rememberLogin(db, state, browserSecret, login);
      return { url: url.href, state, browserSecret };
    },
    async finish(settings, { query, browserSecret }) {
      const parameters = new URLSearchParams(query);
      const state = parameters.get('state');
      const login =
        state === null || browserSecret === null ? null : await takeLogin(db, state, browserSecret);
      if (state === null || login === null) throw new BerthError('SIGN_IN_STATE');
      // Configured anew while the browser was away: its answer is not the new provider's.
      if (login.issuer !== settings.issuer || login.clientId !== settings.clientId) {
        throw new BerthError('OIDC_MIX_UP');
      }
      try {
        const claims = await exchange(await discovered(settings), settings, login, state, parameters);
        return {
          identity: oidcIdentity(settings.issuer, claims, settings.groupsClaim),
          returnTo: login.returnTo,
        };
      } catch (error) {
        throw oidcFailure(error);
      }
    },
  };
}

async function discover(
  settings: OidcSettings,
  secret: string | null,
  fetch: client.CustomFetch | undefined,
): Promise<client.Configuration> {
  const issuer = new URL(settings.issuer);
  const isPlain = issuer.protocol === 'http:';
  if (isPlain && !isLoopbackName(issuer.host)) {
    throw new BerthError('SIGN_IN_MISCONFIGURED', 'The OpenID Connect issuer must be reached over https.', {
      next: 'Write an https address in `signIn.oidc.issuer`.',
    });
  }
  return client.discovery(
    issuer,
    settings.clientId,
    { [client.clockTolerance]: clockToleranceSeconds },
    secret === null ? client.None() : client.ClientSecretBasic(secret),
    {
      timeout: timeoutSeconds,
      // The signature of the token is checked too, beside the TLS connection it came over.
      execute: [client.enableNonRepudiationChecks, ...(isPlain ? [client.allowInsecureRequests] : [])],
      ...(fetch === undefined ? {} : { [client.customFetch]: fetch }),
    },
  );
}

async function exchange(
  provider: client.Configuration,
  settings: OidcSettings,
  login: { readonly redirectUri: string; readonly nonce: string; readonly verifier: string },
  state: string,
  parameters: URLSearchParams,
): Promise<Record<string, unknown>> {
  const answered = new URL(login.redirectUri);
  answered.search = parameters.toString();
  const tokens = await client.authorizationCodeGrant(provider, answered, {
    expectedState: state,
    expectedNonce: login.nonce,
    pkceCodeVerifier: login.verifier,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  if (claims === undefined) throw new BerthError('OIDC_TOKEN_REFUSED');
  const isWhole = claims['email'] !== undefined && groupsOf(claims, settings.groupsClaim).length > 0;
  if (isWhole || provider.serverMetadata().userinfo_endpoint === undefined) return claims;
  // Many providers put e-mail and groups there alone. The subject must be the same.
  const info = await client.fetchUserInfo(provider, tokens.access_token, claims.sub);
  // Whether an address is verified is said of that address alone.
  const isSameEmail = claims['email'] === undefined || claims['email'] === info.email;
  return { ...info, ...(isSameEmail ? {} : { email_verified: undefined }), ...claims };
}
