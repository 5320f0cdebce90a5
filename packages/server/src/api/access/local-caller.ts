import { userInfo } from 'node:os';
import { localPrincipal, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { refuseBrowsers } from '../browser-guard.ts';
import { hasToken } from '../token.ts';
import type { Authenticate } from './authorise.ts';

/**
 * Whoever reaches a unix socket that only this account can open is this account. With a token, the bearer of the
 * token is (loopback TCP, which every account of the machine reaches). Web pages are refused either way.
 */
export function localCaller(
  options: { readonly account?: string; readonly token?: string } = {},
): Authenticate {
  const account = localPrincipal(options.account ?? accountName());
  const principal: Principal = options.token === undefined ? account : { ...account, via: 'token' };
  return async (request) => {
    refuseBrowsers(request.headers);
    if (options.token !== undefined && !hasToken(request.headers.authorization, options.token)) {
      throw new BerthError('TOKEN_REFUSED');
    }
    return principal;
  };
}

/** The account this process runs as; there may be no name for its number. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
