import { timingSafeEqual } from 'node:crypto';
import type { Principal } from '../domain/access.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { AuditSink } from '../domain/ports/audit.ts';
import { findToken, noteTokenUse, type TokenRecord } from '../store/tokens/tokens.ts';
import type { Authenticator, IncomingRequest } from './authenticator.ts';
import { failedAttempts } from './failed-attempts.ts';
import { readTokenText } from './token-text.ts';
import { rightsOfOwner, type TokenParts } from './tokens.ts';

/** Digests of tokens that held lately: an address that sends many wrong ones does not shut out the right ones. */
const mostKnown = 10_000;
const nothing = Buffer.alloc(32);

/**
 * `Authorization: Bearer berth_…`. Whoever sends another kind of bearer is refused, not passed on. The token is found
 * by its id and compared in constant time; what its owner may do is read anew for each request.
 * @throws BerthError `TOKEN_REFUSED`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, `TOKEN_OWNER_DISABLED`, `TOO_MANY_ATTEMPTS`
 */
export function tokenAuthenticator(
  parts: Omit<TokenParts, 'revocations'> & { readonly audit: Pick<AuditSink, 'record'> },
): Authenticator {
  const { db, audit } = parts;
  const failures = failedAttempts(db.clock);
  const rights = rightsOfOwner(parts);
  const known = new Map<string, string>();

  const refuse = async (
    request: IncomingRequest,
    error: BerthError,
    token: TokenRecord | null,
  ): Promise<never> => {
    failures.add(request.address);
    // What was let in without being counted is counted from now on.
    if (token !== null) known.delete(token.id);
    await audit.record({
      by: token?.owner ?? 'unknown',
      byKind: token?.ownerKind ?? 'unknown',
      tokenId: token?.id ?? null,
      via: 'token',
      action: 'token.use',
      object: { kind: 'token', id: token?.id ?? 'unknown', projectId: null },
      result: 'denied',
      code: error.code,
      from: { address: request.address, agent: request.headers['user-agent'] ?? null },
      requestId: null,
      details: {},
    });
    throw error;
  };

  return {
    async authenticate(request) {
      const [, scheme = '', given = ''] =
        /^(\S+)(?:\s+(.*))?$/.exec(request.headers.authorization ?? '') ?? [];
      if (scheme.toLowerCase() !== 'bearer') return null;
      const read = readTokenText(given.trim());
      const isKnown = read !== null && known.get(read.id) === read.hash.toString('hex');
      if (!isKnown) failures.check(request.address);
      if (read === null) return refuse(request, new BerthError('TOKEN_REFUSED'), null);
      const token = await findToken(db, read.id);
      // Compared also where there is none, so that both take the same way.
      const holds = timingSafeEqual(token?.secretHash ?? nothing, read.hash);
      if (token === null || !holds) return refuse(request, new BerthError('TOKEN_REFUSED'), null);
      if (token.revokedAt !== null) return refuse(request, new BerthError('TOKEN_REVOKED'), token);
      if (token.isExpired) return refuse(request, new BerthError('TOKEN_EXPIRED'), token);
      const principal = await principalOf(token).catch((error: unknown) => {
        if (error instanceof BerthError && error.code === 'TOKEN_OWNER_DISABLED')
          return refuse(request, error, token);
        throw error;
      });
      remember(token);
      if (token.isUseDue) {
        await noteTokenUse(db, token.id, {
          route: `${request.method} ${request.url.split('?')[0] ?? ''}`.slice(0, 200),
          address: request.address === '' ? null : request.address,
        });
      }
      return principal;
    },
  };

  async function principalOf(token: TokenRecord): Promise<Principal> {
    const owner = { kind: token.ownerKind, id: token.owner, name: token.ownerName };
    return {
      ...owner,
      via: 'token',
      tokenId: token.id,
      sessionId: null,
      ...(await rights(owner)),
      scope: token.scope,
    };
  }

  function remember(token: TokenRecord): void {
    known.delete(token.id);
    known.set(token.id, token.secretHash.toString('hex'));
    if (known.size > mostKnown) known.delete(known.keys().next().value ?? '');
  }
}
