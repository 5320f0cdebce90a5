import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from '../domain/access.ts';

/** What an entrance looks at. */
export interface IncomingRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Names, in lower case, of headers that came more than once: which of their values holds is not guessed at. */
  readonly repeated?: ReadonlySet<string>;
  /** Address it came from, as far as trusted proxies tell. */
  readonly address: string;
  /** Whether it came over TLS, here or at a trusted proxy. */
  readonly secure: boolean;
}

/**
 * One way in. Answers null when the request carries nothing for it, throws when it carries something that does not
 * hold (`TOKEN_REFUSED`, `SESSION_ENDED` …): a request with a bad credential is never let in by another one.
 */
export interface Authenticator {
  authenticate(request: IncomingRequest): Promise<Principal | null>;
}
