import type { Principal } from '../../domain/access.ts';
import type { CurrentConfig } from '../../domain/config/index.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';
import type { Database } from '../../store/database.ts';
import type { Authenticator, IncomingRequest } from '../authenticator.ts';
import type { Place } from './place.ts';
import type { AnnounceEnded, ListedSession } from './sessions.ts';

export interface SignInOptions {
  readonly db: Database;
  readonly config: CurrentConfig;
  readonly audit: AuditSink;
  /** Value of a secret reference such as `${env:NAME}`. */
  readonly resolveSecret: (reference: string) => Promise<string>;
  readonly announceEnded: AnnounceEnded;
  /** `host:port` really listened on, where it is not the configuration's. */
  readonly listen?: string;
  /** One-time links also where others reach the server. */
  readonly allowLinks?: boolean;
  /** Instead of `fetch`, for networks with a proxy of their own. */
  readonly fetch?: typeof globalThis.fetch;
}

/** `Set-Cookie` values for the browser that was answered. */
export interface CookieAnswer {
  readonly cookies: readonly string[];
}

export interface Welcome extends CookieAnswer {
  readonly principal: Principal;
  readonly csrf: string;
}

/** What a sign-in page can offer. */
export interface SignInMethods {
  readonly oidc: { readonly name: string } | null;
  readonly cloudflareAccess: boolean;
  readonly trustedHeader: boolean;
  readonly link: boolean;
}

/** Signing in and out, sessions, and who they belong to. */
export interface SignIn {
  /** Ways in besides tokens: session, Cloudflare Access, trusted proxy; to be asked in this order. */
  readonly authenticators: readonly Authenticator[];
  place(): Place;
  methods(): SignInMethods;
  /** Value that this principal's page must send with whatever changes something. */
  csrfOf(principal: Principal): Promise<string>;
  /** Key of the values against requests from other sites, shared by all replicas. */
  csrfKey(): Promise<string>;
  /**
   * A one-time link for the account that runs this server: `http://127.0.0.1:7420/sign-in#code=…`, valid for ten
   * minutes. The code stands in the fragment, which reaches neither logs nor other sites.
   * @param baseUrl where the server is reached, where that is only known after it listens (port 0)
   * @throws BerthError `SIGN_IN_NOT_CONFIGURED` where others reach the server
   */
  createSignInLink(
    account: string,
    baseUrl?: string,
  ): Promise<{ readonly url: string; readonly expiresAt: Date }>;
  /** @throws BerthError `SIGN_IN_LINK_REFUSED`, `SIGN_IN_NOT_CONFIGURED`, `TOO_MANY_ATTEMPTS` */
  useLink(request: IncomingRequest, code: string): Promise<Welcome>;
  /** @param returnTo path to go to afterwards; anything else becomes `/` */
  startOidc(
    request: IncomingRequest,
    returnTo: string | undefined,
  ): Promise<CookieAnswer & { readonly url: string }>;
  /** @param query of the address that the provider sent the browser to */
  finishOidc(request: IncomingRequest, query: string): Promise<Welcome & { readonly returnTo: string }>;
  /** Cookies that a browser should forget after a failed return from the provider. */
  forgetLogin(request: IncomingRequest, query: string): readonly string[];
  /** The session cookie, removed. */
  forgetSession(request: IncomingRequest): string;
  sessionsOf(principal: Principal): Promise<readonly ListedSession[]>;
  /** Ends one session of the principal, or all; answers how many. */
  signOut(
    request: IncomingRequest,
    principal: Principal,
    which: { readonly sessionId: string } | 'everywhere',
  ): Promise<CookieAnswer & { readonly ended: number }>;
  /** Ends all sessions of somebody, for whoever manages people. */
  endSessionsOf(principalId: string, by: Principal): Promise<number>;
  close(): Promise<void>;
}
