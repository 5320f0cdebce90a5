import { accountName } from '../api/access/local-caller.ts';
import { tcpDoor } from '../api/access/authenticate.ts';
import { idempotencyIn } from '../api/access/idempotency.ts';
import type { TcpAddress } from '../api/listen-address.ts';
import type { ApiOptions } from '../api/options.ts';
import { peopleOf } from '../access/people.ts';
import { revocations as watchRevocations } from '../access/revocations.ts';
import { createSignIn } from '../access/sign-in/index.ts';
import { assertListenAllowed } from '../access/sign-in/place.ts';
import { readSeen } from '../access/sign-in/seen.ts';
import { tokenAuthenticator } from '../access/token-authenticator.ts';
import { createTokens, type TokenParts } from '../access/tokens.ts';
import { referenceOf } from '../config/references.ts';
import { resolveSecret } from '../secrets/resolve-secret.ts';
import type { Foundation } from './foundation.ts';

/** The ways in: what the socket and TCP have in common, and what stands before the routes over TCP. */
export interface Entrance {
  readonly common: Pick<ApiOptions, 'tokens' | 'revocations' | 'idempotency' | 'people' | 'signIn'>;
  readonly door: NonNullable<ApiOptions['door']>;
  /** @throws BerthError `LISTEN_REFUSED` where others would reach a server at which nobody can sign in */
  assertListenAllowed(address: TcpAddress): void;
  /** @param url where the API really listens, should the port have been left open */
  signInLink(url: string): Promise<string | null>;
  close(): Promise<void>;
}

/** Opens the ways in. @param listen the TCP address, where it is not the configuration's */
export function entranceOf(
  { db, config, audit, env }: Foundation,
  listen: TcpAddress | null,
): Entrance {
  const account = accountName();
  const revocations = watchRevocations(db, config);
  const parts: TokenParts = {
    db,
    config,
    revocations,
    audit: audit.sink,
    claimsOf: async (id) => (await readSeen(db, id))?.claims ?? [],
    account,
  };
  const signIn = createSignIn({
    db,
    config,
    audit: audit.sink,
    resolveSecret: (reference) => resolveSecret(referenceOf(reference), env),
    announceEnded: (ids, forgetAt) => revocations.announce(ids, forgetAt),
    ...(listen === null ? {} : { listen: listenText(listen) }),
  });
  return {
    common: {
      tokens: createTokens(parts),
      revocations,
      idempotency: idempotencyIn(db),
      people: peopleOf(db, config),
      signIn,
    },
    door: tcpDoor({
      config,
      signIn,
      authenticators: [tokenAuthenticator(parts), ...signIn.authenticators],
    }),
    assertListenAllowed(address) {
      const { server, signIn: ways } = config.current().config;
      assertListenAllowed({ ...server, listen: listenText(address) }, ways);
    },
    async signInLink(url) {
      const link = await signIn.createSignInLink(account).catch(() => null);
      if (link === null) return null;
      const address = new URL(link.url);
      if (address.port === '0' || listen?.port === 0) address.port = new URL(url).port;
      return address.href;
    },
    async close() {
      await signIn.close();
      await revocations.close();
    },
  };
}

function listenText({ host, port }: TcpAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
