import { localPrincipal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { CurrentConfig } from '../../domain/config/index.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';
import type { Database } from '../../store/database.ts';
import type { Authenticator, IncomingRequest } from '../authenticator.ts';
import type { Identity } from '../roles-of.ts';
import { sessionAct, visitorOf } from './acts.ts';
import { admit } from './admission.ts';
import { assertionHeader, cloudflareAccess, type ReadAssertion } from './cloudflare-access.ts';
import { cookieStyle, readCookie } from './cookies.ts';
import type { Place } from './place.ts';
import { endSessions, useSession, type AnnounceEnded } from './sessions.ts';
import type { AddressThrottle } from './throttle.ts';
import { readTrustedHeaders } from './trusted-header.ts';

export interface AuthenticatorParts {
  readonly db: Database;
  readonly config: CurrentConfig;
  readonly audit: AuditSink;
  readonly resolveSecret: (reference: string) => Promise<string>;
  readonly announceEnded: AnnounceEnded;
  readonly fetch?: typeof globalThis.fetch;
  readonly place: () => Place;
  readonly failures: AddressThrottle;
  readonly noteSeen: (identity: Identity, via: string) => Promise<void>;
}

/** Session, Cloudflare Access and trusted proxy, in the order in which they are asked. */
export function signInAuthenticators(parts: AuthenticatorParts): readonly Authenticator[] {
  const readAssertion = cloudflareAccess(
    parts.fetch === undefined ? {} : { fetch: (url, init) => parts.fetch!(url, init) },
  );
  return [
    { authenticate: (request) => bySession(parts, request) },
    { authenticate: (request) => byAssertion(parts, readAssertion, request) },
    { authenticate: (request) => byProxy(parts, request) },
  ];
}

async function bySession(parts: AuthenticatorParts, request: IncomingRequest) {
  const { db, config, announceEnded } = parts;
  const cookie = readCookie(request.headers.cookie, cookieStyle(parts.place(), request).session);
  if (cookie === 'none') return null;
  if (cookie === 'twice') throw new BerthError('SESSION_ENDED');
  const { signIn } = config.current().config;
  const session = await useSession(db, cookie.value, signIn.sessions, visitorOf(request));
  if (session === null) throw new BerthError('SESSION_ENDED');
  if (session.kind === 'local') {
    return { ...localPrincipal(session.name, 'link'), id: session.principal, sessionId: session.id };
  }
  const identity: Identity = {
    kind: 'person',
    id: session.principal,
    name: session.name,
    claims: session.claims,
  };
  try {
    const principal = await admit(db, config, identity, {
      via: session.via,
      sessionId: session.id,
      // The provider that vouched is not configured any more: nobody it vouched for may stay.
      admitUnknown: signIn.oidc?.admitUnknown === true,
    });
    await parts.noteSeen(identity, session.via);
    return principal;
  } catch (error) {
    if (
      !(error instanceof BerthError) ||
      (error.code !== 'PERSON_DISABLED' && error.code !== 'NOT_ADMITTED')
    ) {
      throw error;
    }
    const act = sessionAct(
      { by: identity.id, byKind: 'person', via: session.via },
      'session.end',
      session.id,
      visitorOf(request),
    );
    await endSessions(db, announceEnded, { principal: session.principal });
    await parts.audit.record({ ...act, result: 'denied', code: error.code });
    throw new BerthError('SESSION_ENDED', undefined, { cause: error });
  }
}

async function byAssertion(parts: AuthenticatorParts, read: ReadAssertion, request: IncomingRequest) {
  const settings = parts.config.current().config.signIn.cloudflareAccess;
  const assertion = request.headers[assertionHeader];
  if (settings === undefined || typeof assertion !== 'string' || assertion === '') return null;
  return guarded(parts, request, 'cloudflare-access', () => read(settings, assertion));
}

async function byProxy(parts: AuthenticatorParts, request: IncomingRequest) {
  const settings = parts.config.current().config.signIn.trustedHeader;
  if (settings === undefined || request.headers[settings.secretHeader.toLowerCase()] === undefined)
    return null;
  const secret = await parts.resolveSecret(settings.secret);
  return guarded(parts, request, 'trusted-header', async () => readTrustedHeaders(settings, secret, request));
}

/**
 * A way in whose credential each request carries: its failures are throttled and on record. What holds is let in
 * whoever failed before from the same address: behind a proxy all have one.
 */
async function guarded(
  parts: AuthenticatorParts,
  request: IncomingRequest,
  via: 'cloudflare-access' | 'trusted-header',
  read: () => Promise<Identity | null>,
) {
  try {
    const identity = await read();
    if (identity === null) return null;
    // Whom the proxy lets through is known to it; without a role they see nothing.
    const principal = await admit(parts.db, parts.config, identity, { via, admitUnknown: true });
    await parts.noteSeen(identity, via);
    return principal;
  } catch (error) {
    if (error instanceof BerthError && countedCodes.has(error.code)) {
      parts.failures.count(request.address);
      const act = sessionAct(
        { by: 'unknown', byKind: 'unknown', via },
        'session.create',
        'none',
        visitorOf(request),
      );
      await parts.audit.record({ ...act, result: 'denied', code: error.code });
    }
    throw error;
  }
}

const countedCodes = new Set(['ASSERTION_REFUSED', 'PROXY_REFUSED', 'PERSON_DISABLED']);
