import type { Principal } from '../../domain/access.ts';
import { durationMs } from '../../domain/config/index.ts';
import { asBerthError, BerthError, type ErrorCode } from '../../domain/errors/index.ts';
import type { IncomingRequest } from '../authenticator.ts';
import { recorded, sessionAct, visitorOf } from './acts.ts';
import { cookieStyle, readCookie, writeCookie } from './cookies.ts';
import { csrfValue } from './csrf.ts';
import type { Place } from './place.ts';
import { beginSession, endSessions, type SessionHolder } from './sessions.ts';
import type { SignInOptions, Welcome } from './sign-in.ts';
import type { AddressThrottle } from './throttle.ts';

export type WelcomeParts = SignInOptions & {
  readonly place: () => Place;
  readonly csrfKey: () => Promise<string>;
  readonly failures: AddressThrottle;
};

/** Begins the session of somebody who was identified. */
export async function welcome(
  parts: WelcomeParts,
  request: IncomingRequest,
  holder: SessionHolder,
  principalOf: (sessionId: string) => Promise<Principal>,
): Promise<Welcome> {
  const { db, audit, config, announceEnded } = parts;
  const style = cookieStyle(parts.place(), request);
  const visitor = visitorOf(request);
  const act = sessionAct(
    { by: holder.principal, byKind: holder.kind, via: holder.via },
    'session.create',
    'new',
    visitor,
  );
  const before = readCookie(request.headers.cookie, style.session);
  const begin = async () => {
    // A session the browser brought along ends: what somebody may have planted never becomes a signed-in one.
    if (typeof before === 'object') await endSessions(db, announceEnded, { secret: before.value });
    return beginSession(db, holder, visitor);
  };
  const { secret, session } = await recorded(audit, act, begin, (made) => ({
    kind: 'session',
    id: made.session.id,
    projectId: null,
  }));
  const principal = await principalOf(session.id);
  const lifeMs = durationMs(config.current().config.signIn.sessions.absolute);
  return {
    principal,
    csrf: csrfValue(await parts.csrfKey(), principal),
    cookies: [writeCookie(style.session, secret, style, lifeMs)],
  };
}

/** Failures that whoever signs in (or attacks) caused. */
const visitorsFaults: ReadonlySet<ErrorCode> = new Set([
  'SIGN_IN_LINK_REFUSED',
  'SIGN_IN_STATE',
  'OIDC_DENIED',
  'OIDC_CODE_REFUSED',
  'OIDC_TOKEN_REFUSED',
  'OIDC_CLOCK',
  'OIDC_MIX_UP',
  'NOT_ADMITTED',
  'PERSON_DISABLED',
]);

/** One try to sign in: a failure is counted against its address and put on record. */
export async function attempt<T>(
  parts: WelcomeParts,
  request: IncomingRequest,
  via: 'oidc' | 'link',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, details } = asBerthError(error);
    if (code === 'DATABASE_UNAVAILABLE' || code === 'TOO_MANY_ATTEMPTS') throw error;
    const isDenied = visitorsFaults.has(code);
    if (isDenied) parts.failures.count(request.address);
    const person = details['person'];
    const by = typeof person === 'string' ? person : 'unknown';
    await parts.audit.record({
      ...sessionAct({ by, byKind: 'unknown', via }, 'session.create', 'none', visitorOf(request)),
      result: isDenied ? 'denied' : 'failed',
      code,
    });
    throw error;
  }
}

/** The same refusal, with whom it concerns for the record of acts. */
export function naming(error: unknown, person: string): unknown {
  const isRefusal = error instanceof BerthError && visitorsFaults.has(error.code);
  return isRefusal ? new BerthError(error.code, undefined, { cause: error, details: { person } }) : error;
}
