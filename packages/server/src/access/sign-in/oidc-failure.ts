import { BerthError, type ErrorCode } from '../../domain/errors/index.ts';

/** What the libraries throw, as far as it is looked at. */
interface Thrown {
  readonly code?: unknown;
  readonly error?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly status?: unknown;
}

/** Codes of `openid-client` by what they mean for the person who signs in. */
const meanings: Readonly<Record<string, ErrorCode>> = {
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED: 'OIDC_CLOCK',
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: 'OIDC_TOKEN_REFUSED',
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: 'OIDC_TOKEN_REFUSED',
  OAUTH_KEY_SELECTION_FAILED: 'OIDC_TOKEN_REFUSED',
  OAUTH_INVALID_RESPONSE: 'OIDC_TOKEN_REFUSED',
  OAUTH_UNSUPPORTED_OPERATION: 'OIDC_TOKEN_REFUSED',
  OAUTH_MISSING_SERVER_METADATA: 'OIDC_UNREACHABLE',
  OAUTH_INVALID_SERVER_METADATA: 'OIDC_UNREACHABLE',
  OAUTH_RESPONSE_IS_NOT_CONFORM: 'OIDC_UNREACHABLE',
  OAUTH_RESPONSE_IS_NOT_JSON: 'OIDC_UNREACHABLE',
  OAUTH_PARSE_ERROR: 'OIDC_UNREACHABLE',
  OAUTH_TIMEOUT: 'OIDC_UNREACHABLE',
  OAUTH_ABORT: 'OIDC_UNREACHABLE',
  OAUTH_HTTP_REQUEST_FORBIDDEN: 'SIGN_IN_MISCONFIGURED',
  OAUTH_REQUEST_PROTOCOL_FORBIDDEN: 'SIGN_IN_MISCONFIGURED',
};

/** An error of the OpenID Connect library with its code. The provider's own words are hostile and left out. */
export function oidcFailure(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  const { code, error: answered } = error as Thrown;
  if (code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') return failure('OIDC_DENIED', error, answered);
  if (code === 'OAUTH_RESPONSE_BODY_ERROR') {
    if (answered === 'invalid_grant') return failure('OIDC_CODE_REFUSED', error, answered);
    const isOurs = answered === 'invalid_client' || answered === 'unauthorized_client';
    return failure(isOurs ? 'OIDC_CLIENT_REFUSED' : 'OIDC_UNREACHABLE', error, answered);
  }
  if (code === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') return failure('OIDC_CLIENT_REFUSED', error);
  if (typeof code !== 'string')
    return failure(isAboutNetwork(error) ? 'OIDC_UNREACHABLE' : 'OIDC_TOKEN_REFUSED', error);
  if (isAboutIssuer(error)) return failure('OIDC_MIX_UP', error);
  return failure(meanings[code] ?? 'OIDC_TOKEN_REFUSED', error);
}

function failure(code: ErrorCode, cause: unknown, answered?: unknown): BerthError {
  const known = typeof answered === 'string' && /^[a-z_]{1,60}$/.test(answered);
  return new BerthError(code, undefined, { cause, ...(known ? { details: { provider: answered } } : {}) });
}

/** `iss` of the answer, of the token or of the discovered document is another's. */
function isAboutIssuer(error: unknown): boolean {
  for (const each of causes(error)) {
    const { message, cause } = each;
    if (typeof message === 'string' && /\bunexpected "iss"|issuer/i.test(message)) return true;
    const claim = (cause as { claim?: unknown; attribute?: unknown } | undefined) ?? {};
    if (claim.claim === 'iss' || claim.attribute === 'issuer') return true;
  }
  return false;
}

/** `fetch` throws a TypeError, with the socket's error below it. */
function isAboutNetwork(error: unknown): boolean {
  return causes(error).some(
    (each) =>
      (each instanceof TypeError && each.message === 'fetch failed') ||
      (each instanceof DOMException && (each.name === 'TimeoutError' || each.name === 'AbortError')),
  );
}

function causes(error: unknown): Thrown[] {
  const list: Thrown[] = [];
  for (
    let each = error;
    typeof each === 'object' && each !== null && list.length < 6;
    each = (each as Thrown).cause
  ) {
    list.push(each);
  }
  return list;
}
