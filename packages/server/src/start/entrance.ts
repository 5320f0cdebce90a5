import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authenticator } from '../access/authenticator.ts';
import { peopleOf } from '../access/people.ts';
import { revocations } from '../access/revocations.ts';
import { createSignIn } from '../access/sign-in/index.ts';
import { assertListenAllowed } from '../access/sign-in/place.ts';
import { readSeen } from '../access/sign-in/seen.ts';
import { tokenAuthenticator } from '../access/token-authenticator.ts';
import { createTokens } from '../access/tokens.ts';
import { tcpDoor, type Door } from '../api/access/authenticate.ts';
import { idempotencyIn } from '../api/access/idempotency.ts';
import { accountName } from '../api/access/local-caller.ts';
import { isLoopback, urlOf, type TcpAddress } from '../api/listen-address.ts';
import type { ApiOptions } from '../api/options.ts';
import { hasToken, readOrCreateToken } from '../api/token.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import { localPrincipal } from '../domain/access.ts';
import type { Foundation } from './foundation.ts';

/** Who may come in, and by which way. */
export interface Entrance {
  /** What both doors of the API are made with. */
  readonly services: Pick<ApiOptions, 'signIn' | 'people' | 'tokens' | 'revocations' | 'idempotency'>;
  /** The door of the TCP listener; null where none listens. */
  readonly door: Door | null;
  /** @param baseUrl that is really listened on; null where links are not allowed */
  signInLink(baseUrl: string): Promise<string | null>;
  close(): Promise<void>;
}

/**
 * Everything that tells who asks, by the configuration of each moment: tokens, sessions, Cloudflare Access, a trusted
 * proxy; and on loopback the token file of the data directory, whose reader is its owner.
 * @param listen where TCP is listened on; null: nowhere
 * @throws BerthError `LISTEN_REFUSED` where others reach the server and nobody could sign in
 */
export async function entranceOf(
  foundation: Pick<Foundation, 'home' | 'db' | 'signal'> & {
    readonly config: CurrentConfig;
    readonly secrets: Pick<Foundation['secrets'], 'read'>;
    readonly audit: Pick<Foundation['audit'], 'sink'>;
  },
  listen: TcpAddress | null,
): Promise<Entrance> {
  const { home, db, config, secrets, signal } = foundation;
  const audit = foundation.audit.sink;
  const account = accountName();
  if (listen !== null) {
    const { server, signIn } = config.current().config;
    assertListenAllowed({ ...server, listen: hostAndPort(listen) }, signIn);
  }
  const over = revocations(db, config);
  const signIn = createSignIn({
    db,
    config,
    audit,
    resolveSecret: (reference) => secrets.read(reference, signal),
    announceEnded: (ids, forgetAt) => over.announce(ids, forgetAt),
    ...(listen === null ? {} : { listen: hostAndPort(listen) }),
  });
  const parts = {
    db,
    config,
    audit,
    account,
    revocations: over,
    claimsOf: async (id: string) => (await readSeen(db, id))?.claims ?? [],
  };
  const ownFile = listen !== null && isLoopback(listen.host) ? await fileToken(home, account) : null;
  const authenticators = [
    ...(ownFile === null ? [] : [ownFile]),
    tokenAuthenticator(parts),
    ...signIn.authenticators,
  ];
  return {
    services: {
      signIn,
      people: peopleOf(db, config),
      tokens: createTokens(parts),
      revocations: over,
      idempotency: idempotencyIn(db),
    },
    door: listen === null ? null : tcpDoor({ config, signIn, authenticators }),
    async signInLink(baseUrl) {
      if (!signIn.methods().link) return null;
      return (await signIn.createSignInLink(account, baseUrl)).url;
    },
    async close() {
      await signIn.close();
      await over.close();
    },
  };
}

function hostAndPort(listen: TcpAddress): string {
  return urlOf(listen).replace(/^http:\/\//, '');
}

/** Whoever can read the token file of the data directory is its owner. Other tokens are left to the next. */
async function fileToken(home: string, account: string): Promise<Authenticator> {
  const directory = join(home, 'keys');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const token = await readOrCreateToken(join(directory, 'api-token'));
  return {
    authenticate: async ({ headers }) =>
      hasToken(headers.authorization, token) ? { ...localPrincipal(account), via: 'token' } : null,
  };
}
