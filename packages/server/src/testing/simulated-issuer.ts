import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, SignJWT, UnsecuredJWT, type JWK } from 'jose';
import { rawServer } from './raw-server.ts';

interface Key {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/**
 * A simulated issuer of tokens, for what no honest server answers: it stands for an OpenID Connect provider (with
 * discovery and token endpoint) and for the key server of a Cloudflare Access team. Every token is the test's.
 */
export class SimulatedIssuer {
  readonly url: string;
  readonly #close: () => Promise<void>;
  readonly #state: {
    keys: Key[];
    isUp: boolean;
    keyRequests: number;
    token: () => Promise<string>;
    issuer: string;
  };

  constructor(url: string, state: SimulatedIssuer['state'], close: () => Promise<void>) {
    this.url = url;
    this.#state = state;
    this.#close = close;
  }

  /** What the server answers with. */
  get state(): {
    keys: Key[];
    isUp: boolean;
    keyRequests: number;
    token: () => Promise<string>;
    issuer: string;
  } {
    return this.#state;
  }

  /** A token signed with the newest key, or with another. */
  async sign(claims: Record<string, unknown>, key = this.#state.keys.at(-1)!): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: key.kid }).sign(key.privateKey);
  }

  /** `alg: none`. */
  unsigned(claims: Record<string, unknown>): string {
    return new UnsecuredJWT(claims).encode();
  }

  /** Signed with the public key as if it were a shared secret (algorithm confusion). */
  async confused(claims: Record<string, unknown>): Promise<string> {
    const key = this.#state.keys.at(-1)!;
    const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: key.kid })
      .sign(new TextEncoder().encode(String(pem)));
  }

  close(): Promise<void> {
    return this.#close();
  }
}

export function newKey(kid: string): Key {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2_048 }) };
}

export async function simulatedIssuer(): Promise<SimulatedIssuer> {
  const state: SimulatedIssuer['state'] = {
    keys: [newKey('one')],
    isUp: true,
    keyRequests: 0,
    token: async () => '',
    issuer: '',
  };
  const server = await rawServer((request, response) => {
    const send = (value: object): void => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const answer = async (): Promise<void> => {
      const path = request.url?.split('?')[0];
      if (!state.isUp) response.writeHead(503).end();
      else if (path === '/jwks' || path === '/cdn-cgi/access/certs') {
        state.keyRequests += 1;
        send({ keys: await Promise.all(state.keys.map(publicJwk)) });
      } else if (path === '/token') {
        send({ access_token: 'a', token_type: 'bearer', expires_in: 60, id_token: await state.token() });
      } else {
        send({
          issuer: state.issuer,
          authorization_endpoint: `${server.url}/authorize`,
          token_endpoint: `${server.url}/token`,
          jwks_uri: `${server.url}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
        });
      }
    };
    answer().catch(() => response.destroy());
  });
  state.issuer = server.url;
  return new SimulatedIssuer(server.url, state, async () => {
    await server[Symbol.asyncDispose]();
  });
}

async function publicJwk({ kid, publicKey }: Key): Promise<JWK> {
  return { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' };
}
