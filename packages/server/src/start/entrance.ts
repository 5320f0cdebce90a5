import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authenticate } from '../api/access/authorise.ts';
import { readOrCreateToken } from '../api/token.ts';
import type { Foundation } from './foundation.ts';

/** The ways in over TCP. */
export interface Entrance {
  /** What a TCP API is made with: a chain of ways to sign in, or one bearer token of this machine. */
  readonly door: { readonly authenticate: Authenticate } | { readonly token: string };
  /** Whether people can sign in by something that is not this machine's own: asked before listening beyond loopback. */
  readonly canSignIn: boolean;
  signInLink(baseUrl: string): Promise<string | null>;
}

/** Whoever can read the token file of the data directory is its owner. */
export async function entranceOf({ home }: Foundation): Promise<Entrance> {
  const directory = join(home, 'keys');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const token = await readOrCreateToken(join(directory, 'api-token'));
  return { door: { token }, canSignIn: false, signInLink: async () => null };
}
