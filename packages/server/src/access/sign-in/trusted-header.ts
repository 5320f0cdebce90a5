import type { SignInConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { IncomingRequest } from '../authenticator.ts';
import type { Identity } from '../roles-of.ts';
import { listOfGroups, plainEmail, plainName, plainSubject } from './identity-claims.ts';
import { sameSecret } from './secret.ts';

export type TrustedHeaderSettings = NonNullable<SignInConfig['trustedHeader']>;

/** A secret that is shorter could be guessed by whoever reaches the port. */
const shortestSecret = 16;

/**
 * Who a proxy says is there. Without the proxy's secret the headers count for nothing. Pure.
 * @returns null when the request carries no secret: it does not come from the proxy
 * @throws BerthError `PROXY_REFUSED` for a wrong secret, or a proxy that names nobody
 */
export function readTrustedHeaders(
  settings: TrustedHeaderSettings,
  secret: string,
  { headers, repeated }: Pick<IncomingRequest, 'headers' | 'repeated'>,
): Identity | null {
  const value = (name: string): string | null => {
    const given = headers[name.toLowerCase()];
    return typeof given === 'string' && given !== '' ? given : null;
  };
  const given = value(settings.secretHeader);
  if (given === null) return null;
  if (secret.length < shortestSecret) {
    throw new BerthError('SIGN_IN_MISCONFIGURED', 'The secret of the trusted proxy is too short.', {
      next: `Give \`signIn.trustedHeader.secret\` at least ${shortestSecret} random characters.`,
    });
  }
  if (!sameSecret(given, secret)) throw new BerthError('PROXY_REFUSED');
  // One from the client and one of the proxy, which added its own instead of replacing it: Node joins them.
  if (trustedHeaderNames(settings).some((name) => repeated?.has(name) === true)) {
    throw new BerthError('PROXY_REFUSED', 'The proxy lets through headers that only it may set.');
  }
  const user = value(settings.userHeader);
  const id = plainEmail(value(settings.emailHeader)) ?? plainEmail(user) ?? withoutMail(user);
  if (id === null) throw new BerthError('PROXY_REFUSED', 'The proxy names nobody.');
  return {
    kind: 'person',
    id,
    name: plainName(value(settings.nameHeader)) ?? id,
    claims: listOfGroups(value(settings.groupsHeader)),
  };
}

function withoutMail(user: string | null): string | null {
  return user === null || user.length > 250 ? null : `${plainSubject(user)}@proxy`;
}

/** Names, in lower case, of the headers that only the proxy may set. */
export function trustedHeaderNames(settings: TrustedHeaderSettings): readonly string[] {
  const { secretHeader, userHeader, emailHeader, nameHeader, groupsHeader } = settings;
  return [secretHeader, userHeader, emailHeader, nameHeader, groupsHeader].map((name) => name.toLowerCase());
}
