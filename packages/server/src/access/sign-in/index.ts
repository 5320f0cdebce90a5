import { localPrincipal, type Principal } from '../../domain/access.ts';
import type { SignInConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { IncomingRequest } from '../authenticator.ts';
import type { Identity } from '../roles-of.ts';
import { byPrincipal, recorded, sessionAct, visitorOf } from './acts.ts';
import { admit } from './admission.ts';
import { signInAuthenticators } from './authenticators.ts';
import { cookieStyle, readCookie, writeCookie, type CookieStyle } from './cookies.ts';
import { csrfValue } from './csrf.ts';
import { createLinkCode, useLinkCode } from './links.ts';
import { loginLifeMs } from './oidc-logins.ts';
import { oidcSignIn, type OidcOptions, type OidcSettings } from './oidc.ts';
import { isLoopbackName, ownOrigin, placeOf, type Place } from './place.ts';
import { returnPath } from './return-path.ts';
import { hashSecret } from './secret.ts';
import { seenNotes } from './seen.ts';
import { endSessions, listSessions, sweep } from './sessions.ts';
import { sharedKey } from './shared-key.ts';
import type { SignIn, SignInOptions } from './sign-in.ts';
import { AddressThrottle } from './throttle.ts';
import { attempt, naming, welcome, type WelcomeParts } from './welcome.ts';

export type * from './sign-in.ts';

/** How often sessions that are over are looked for; what they opened ends then. */
const sweepMs = 30_000;
/** Of one address within 5 minutes: failed sign-ins, and sign-ins begun at the provider (each is a row). */
const mostFailures = 10;
const mostStarts = 300;

/** Sign-in over this database, by the configuration of each moment. Sweeps until it is closed. */
export function createSignIn(options: SignInOptions): SignIn {
  const { db, config, audit, announceEnded } = options;
  const listen = (): string => options.listen ?? config.current().config.server.listen;
  const place = (): Place => placeOf(config.current().config.server, listen());
  const settings = (): SignInConfig => config.current().config.signIn;
  const mayLink = (): boolean => place().isLoopback || options.allowLinks === true;
  const styleOf = (request: IncomingRequest): CookieStyle => cookieStyle(place(), request);
  const noteSeen = seenNotes(db);
  const starts = new AddressThrottle(db.clock, mostStarts);
  const parts: WelcomeParts = {
    ...options,
    place,
    csrfKey: sharedKey(db, 'csrf'),
    failures: new AddressThrottle(db.clock, mostFailures),
  };
  const oidc = oidcSignIn({
    db,
    resolveSecret: options.resolveSecret,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch as NonNullable<OidcOptions['fetch']> }),
  });
  const oidcSettings = (): OidcSettings => {
    const found = settings().oidc;
    if (found === undefined) throw new BerthError('SIGN_IN_NOT_CONFIGURED');
    return found;
  };
  /** One for each sign-in under way, so that several tabs do not disturb each other. */
  const loginCookie = (request: IncomingRequest, state: string): string =>
    `${styleOf(request).login}${hashSecret(state).slice(0, 12)}`;
  const forgetLogin = (request: IncomingRequest, query: string): readonly string[] => {
    const state = new URLSearchParams(query).get('state');
    return state === null ? [] : [writeCookie(loginCookie(request, state), '', styleOf(request), 0)];
  };
  const admitted = async (identity: Identity, sessionId?: string): Promise<Principal> => {
    const how = { via: 'oidc', admitUnknown: oidcSettings().admitUnknown } as const;
    return admit(db, config, identity, sessionId === undefined ? how : { ...how, sessionId }).catch(
      (error: unknown) => {
        throw naming(error, identity.id);
      },
    );
  };
  const stopSweeping = keepSweeping(options);

  return {
    authenticators: signInAuthenticators({ ...parts, noteSeen }),
    place,
    csrfKey: parts.csrfKey,
    csrfOf: async (principal) => csrfValue(await parts.csrfKey(), principal),
    forgetLogin,
    forgetSession: (request) => writeCookie(styleOf(request).session, '', styleOf(request), 0),
    methods() {
      const { oidc: provider, cloudflareAccess, trustedHeader } = settings();
      return {
        oidc: provider === undefined ? null : { name: provider.name },
        cloudflareAccess: cloudflareAccess !== undefined,
        trustedHeader: trustedHeader !== undefined,
        link: mayLink(),
      };
    },
    async createSignInLink(account, baseUrl = linkBase(place(), listen())) {
      if (!mayLink()) throw linksRefused();
      const { code, expiresAt } = await createLinkCode(db, account);
      const act = sessionAct(byPrincipal(localPrincipal(account)), 'session.link', 'none', null);
      await audit.record({ ...act, result: 'allowed', code: null });
      return { url: `${baseUrl}/sign-in#code=${code}`, expiresAt };
    },
    async useLink(request, code) {
      // A proxy before a loopback listener would make links usable by others: only loopback may be named.
      const isAllowed = options.allowLinks === true || isLoopbackName(request.headers.host);
      if (!mayLink() || !isAllowed) throw linksRefused();
      parts.failures.check(request.address);
      return attempt(parts, request, 'link', async () => {
        const account = await useLinkCode(db, code);
        if (account === null) throw new BerthError('SIGN_IN_LINK_REFUSED');
        const principal = localPrincipal(account, 'link');
        const holder = {
          principal: principal.id,
          kind: 'local',
          name: account,
          via: 'link',
          claims: [],
        } as const;
        return welcome(parts, request, holder, async (sessionId) => ({ ...principal, sessionId }));
      });
    },
    async startOidc(request, returnTo) {
      const provider = oidcSettings();
      starts.count(request.address);
      const origin = ownOrigin(place(), request.headers.host);
      if (origin === null) throw new BerthError('HOST_REFUSED');
      const where = { redirectUri: `${origin}/auth/oidc/callback`, returnTo: returnPath(returnTo) };
      const { url, state, browserSecret } = await oidc.start(provider, where);
      const cookie = writeCookie(loginCookie(request, state), browserSecret, styleOf(request), loginLifeMs);
      return { url, cookies: [cookie] };
    },
    async finishOidc(request, query) {
      const provider = oidcSettings();
      return attempt(parts, request, 'oidc', async () => {
        const state = new URLSearchParams(query).get('state') ?? '';
        const held = readCookie(request.headers.cookie, loginCookie(request, state));
        const browserSecret = typeof held === 'object' ? held.value : null;
        const { identity, returnTo } = await oidc.finish(provider, { query, browserSecret });
        await admitted(identity);
        await noteSeen(identity, 'oidc');
        const { id, name, claims } = identity;
        const holder = { principal: id, kind: 'person', name, via: 'oidc', claims } as const;
        const answer = await welcome(parts, request, holder, (sessionId) => admitted(identity, sessionId));
        return { ...answer, cookies: [...answer.cookies, ...forgetLogin(request, query)], returnTo };
      });
    },
    sessionsOf: (principal) => listSessions(db, principal.id, settings().sessions),
    async signOut(request, principal, which) {
      const one = which === 'everywhere' ? {} : { id: which.sessionId };
      const act = sessionAct(byPrincipal(principal), 'session.end', one.id ?? 'all', visitorOf(request));
      const ids = await recorded(audit, act, () =>
        endSessions(db, announceEnded, { principal: principal.id, ...one }),
      );
      const isOwn = one.id === undefined || one.id === principal.sessionId;
      return {
        ended: ids.length,
        cookies: isOwn ? [writeCookie(styleOf(request).session, '', styleOf(request), 0)] : [],
      };
    },
    async endSessionsOf(principalId, by) {
      const act = sessionAct(byPrincipal(by), 'session.end', 'all', null, { of: principalId });
      return (await recorded(audit, act, () => endSessions(db, announceEnded, { principal: principalId })))
        .length;
    },
    close: stopSweeping,
  };
}

function linksRefused(): BerthError {
  return new BerthError('SIGN_IN_NOT_CONFIGURED', 'Sign-in links work on this machine alone (127.0.0.1).', {
    next: 'Sign in another way: GET /auth/methods lists them.',
  });
}

/** Where the browser of whoever reads the link reaches this server. */
function linkBase({ isLoopback, publicUrl }: Place, listen: string): string {
  return isLoopback || publicUrl === null ? `http://${listen}` : publicUrl.origin;
}

/** Looks every half minute for sessions that are over. Returns the way to stop. */
function keepSweeping({ db, config, audit, announceEnded }: SignInOptions): () => Promise<void> {
  const closing = new AbortController();
  const once = async (): Promise<void> => {
    for (const { id, principal, kind } of await sweep(
      db,
      announceEnded,
      config.current().config.signIn.sessions,
    )) {
      const act = sessionAct({ by: principal, byKind: kind, via: 'expiry' }, 'session.end', id, null);
      await audit.record({ ...act, result: 'allowed', code: null });
    }
  };
  const sweeping = (async () => {
    while (!closing.signal.aborted) {
      await db.clock.sleep(sweepMs, closing.signal).catch(() => undefined);
      // The next one finds what this one could not.
      if (!closing.signal.aborted) await once().catch(() => undefined);
    }
  })();
  return async () => {
    closing.abort(new Error('sign-in is closed'));
    await sweeping;
  };
}
