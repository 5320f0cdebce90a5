import type { FastifyInstance } from 'fastify';
import type { Authenticator, IncomingRequest } from '../../access/authenticator.ts';
import { assertionHeader } from '../../access/sign-in/cloudflare-access.ts';
import { assertCsrf, assertOwnSite } from '../../access/sign-in/csrf.ts';
import type { SignIn } from '../../access/sign-in/index.ts';
import { ownOrigin } from '../../access/sign-in/place.ts';
import { trustedHeaderNames } from '../../access/sign-in/trusted-header.ts';
import type { Principal } from '../../domain/access.ts';
import type { CurrentConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Authenticate } from './authorise.ts';
import { incomingOf, plainAddress, trustIn } from './incoming-request.ts';
import { securityHeaders } from './security-headers.ts';

/** What stands between a TCP port and the routes. */
export interface Door {
  readonly authenticate: Authenticate;
  /** Whether what an address says about where a request came from is believed. */
  isTrustedProxy(address: string): boolean;
  /** Hooks that come before all others. */
  install(app: FastifyInstance): void;
}

/** Paths that a probe asks by whatever name or address it has. They tell nothing and change nothing. */
const probes = new Set(['/healthz', '/readyz']);

/**
 * The door of a TCP listener: a Host header that is ours, one way in after the other, protection against pages of
 * other sites for whatever a browser sends by itself, and the headers that protect our own pages.
 * @param authenticators in the order in which they are asked: tokens first, then those of `signIn`
 */
export function tcpDoor(options: {
  readonly config: CurrentConfig;
  readonly signIn: SignIn;
  readonly authenticators: readonly Authenticator[];
}): Door {
  const { config, signIn, authenticators } = options;
  const trusted = (): readonly string[] => config.current().config.server.trustedProxies;
  return {
    isTrustedProxy: (address) => trustIn(trusted())(plainAddress(address)),
    authenticate: async (request) => {
      const incoming = incomingOf(request, trusted());
      const principal = await firstOf(authenticators, incoming);
      if (principal.via !== 'token') {
        assertOwnSite(signIn.place(), incoming);
        assertCsrf(await signIn.csrfKey(), principal, incoming);
      }
      return principal;
    },
    install(app) {
      app.addHook('onRequest', async (request) => {
        const incoming = incomingOf(request, trusted());
        // Nothing behind this line sees what only ways in may look at, nor passes it on.
        const { trustedHeader } = config.current().config.signIn;
        const hidden = trustedHeader === undefined ? [] : trustedHeaderNames(trustedHeader);
        for (const name of [assertionHeader, 'cookie', ...hidden]) delete request.raw.headers[name];
        if (probes.has(request.routeOptions.url ?? '')) return;
        const isOurs = ownOrigin(signIn.place(), incoming.headers.host) !== null;
        if (!isOurs || incoming.repeated?.has('host') === true) throw new BerthError('HOST_REFUSED');
      });
      app.addHook('onSend', async (request, reply) => {
        const own = ownOrigin(signIn.place(), incomingOf(request, trusted()).headers.host);
        for (const [name, value] of Object.entries(securityHeaders(own?.startsWith('https:') === true))) {
          if (!reply.hasHeader(name)) reply.header(name, value);
        }
      });
      app.addHook('onError', async (request, reply, error) => {
        // So that a browser with a session that is over can come in again.
        if (error instanceof BerthError && error.code === 'SESSION_ENDED') {
          reply.header('set-cookie', signIn.forgetSession(incomingOf(request, trusted())));
        }
      });
    },
  };
}

/** A bad credential ends the search: its error is thrown, and no other way in is asked. */
async function firstOf(
  authenticators: readonly Authenticator[],
  request: IncomingRequest,
): Promise<Principal> {
  for (const authenticator of authenticators) {
    const principal = await authenticator.authenticate(request);
    if (principal !== null) return principal;
  }
  throw new BerthError('NOT_SIGNED_IN');
}
