import { createRemoteJWKSet, customFetch, errors, jwtVerify, type FetchImplementation } from 'jose';
import type { SignInConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Identity } from '../roles-of.ts';
import { groupsOf, plainEmail, plainName } from './identity-claims.ts';

export type CloudflareSettings = NonNullable<SignInConfig['cloudflareAccess']>;

export const assertionHeader = 'cf-access-jwt-assertion';

const clockToleranceSeconds = 30;
/** An unknown key is asked for again at most this often: whoever sends nonsense does not make us a nuisance. */
const keyCooldownMs = 10_000;
const keyTimeoutMs = 5_000;

/**
 * Who a Cloudflare Access assertion speaks of, verified with the team's keys; null for service tokens, which are
 * nobody here (programs carry tokens of Berth).
 * @throws BerthError `ASSERTION_REFUSED`, `ASSERTION_KEYS_UNREACHABLE`
 */
export type ReadAssertion = (settings: CloudflareSettings, assertion: string) => Promise<Identity | null>;

export function cloudflareAccess(options: { readonly fetch?: FetchImplementation } = {}): ReadAssertion {
  let known: { readonly team: string; readonly keys: ReturnType<typeof createRemoteJWKSet> } | null = null;
  const keysOf = (team: string): ReturnType<typeof createRemoteJWKSet> => {
    if (known?.team !== team) {
      const keys = createRemoteJWKSet(new URL('/cdn-cgi/access/certs', team), {
        cooldownDuration: keyCooldownMs,
        timeoutDuration: keyTimeoutMs,
        ...(options.fetch === undefined ? {} : { [customFetch]: options.fetch }),
      });
      known = { team, keys };
    }
    return known.keys;
  };
  return async (settings, assertion) => {
    const { payload } = await jwtVerify(assertion, keysOf(settings.team), {
      // What Cloudflare signs with. Never a shared secret, never none.
      algorithms: ['RS256', 'ES256'],
      issuer: new URL(settings.team).origin,
      audience: settings.audience,
      requiredClaims: ['iss', 'aud', 'exp', 'iat'],
      clockTolerance: clockToleranceSeconds,
    }).catch((error: unknown) => {
      throw refusal(error);
    });
    if (payload['common_name'] !== undefined) return null;
    const email = plainEmail(payload['email']);
    if (email === null) {
      throw new BerthError('ASSERTION_REFUSED', 'The Cloudflare Access assertion names no e-mail address.');
    }
    const groups = [...groupsOf(payload, 'groups'), ...groupsOf(payload, 'custom.groups')];
    return { kind: 'person', id: email, name: plainName(payload['name']) ?? email, claims: groups };
  };
}

function refusal(error: unknown): BerthError {
  const isAboutToken = [
    errors.JWTClaimValidationFailed,
    errors.JWTExpired,
    errors.JWSInvalid,
    errors.JWTInvalid,
    errors.JWSSignatureVerificationFailed,
    errors.JWKSNoMatchingKey,
    errors.JWKSMultipleMatchingKeys,
    errors.JOSEAlgNotAllowed,
    errors.JOSENotSupported,
  ].some((kind) => error instanceof kind);
  return new BerthError(isAboutToken ? 'ASSERTION_REFUSED' : 'ASSERTION_KEYS_UNREACHABLE', undefined, {
    cause: error,
  });
}
