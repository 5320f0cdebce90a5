import { createPrivateKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { BerthError } from '../../domain/errors/index.ts';
import type { GitHubAppConfig } from '../../domain/config/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { ReadSecret } from '../../secrets/read-secret.ts';
import type { Secret } from '../../secrets/secret-forms.ts';
import type { RepositoryName } from './addresses.ts';
import type { Authorize, GitHubClient } from './client.ts';
import { type Purpose, permissionsFor } from './permissions.ts';
import { accountSchema, appSchema, installationSchema, mintedSchema } from './shapes.ts';

/** Whatever says who we are. */
export interface Credentials {
  /** For requests about one repository. `account` is what rate limits count on. */
  for(
    repository: RepositoryName,
    purpose: Purpose,
  ): { readonly account: string; readonly authorize: Authorize };
  /** The bare token, for git. */
  token(repository: RepositoryName, purpose: Purpose): Promise<string>;
  /** The account that comments and pull requests are of. */
  login(): Promise<string>;
}

export interface CredentialParts {
  readonly forge: string;
  readonly client: GitHubClient;
  readonly clock: Clock;
  readonly read: ReadSecret;
  /** Values to be looked for in whatever is stored or shown, until they end. */
  readonly learn: (secret: Secret, untilMs?: number) => void;
  readonly signal: AbortSignal;
}

/** A source of secrets is not asked for each request. */
const rememberedMs = 60_000;

/** A token as it stands in the configuration. */
export function tokenCredentials(parts: CredentialParts, reference: string): Credentials {
  const { client, clock, forge } = parts;
  let known: { readonly value: Promise<string>; readonly atMs: number } | null = null;
  let login: Promise<string> | null = null;
  const token = (): Promise<string> => {
    if (known !== null && clock.monotonicMs() - known.atMs < rememberedMs) return known.value;
    const value = parts.read(reference, parts.signal, `forges.${forge}.token`).then((text) => text.trim());
    known = { value, atMs: clock.monotonicMs() };
    value.catch(() => (known = null));
    return value;
  };
  const authorize: Authorize = async ({ isRefused }) => {
    // It may have been replaced since.
    if (isRefused) known = null;
    return `Bearer ${await token()}`;
  };
  return {
    for: () => ({ account: 'token', authorize }),
    token,
    login() {
      login ??= client
        .json({ method: 'GET', path: '/user', what: 'its own account' }, accountSchema, 'token', authorize)
        .then(({ value }) => value.login);
      login.catch(() => (login = null));
      return login;
    },
  };
}

interface Minted {
  readonly token: string;
  readonly endsMs: number;
}

/** A fetch may take a quarter of an hour with the token it began with. */
const renewedBeforeEndMs = 20 * 60_000;
/** GitHub takes ten minutes at most; its clock may be behind ours or before it. */
const jwtSeconds = { before: 60, after: 9 * 60 };

/** A GitHub App: tokens for one repository and one purpose, kept in memory while they are valid. */
export class AppCredentials implements Credentials {
  readonly #parts: CredentialParts;
  readonly #app: GitHubAppConfig;
  readonly #minted = new Map<string, Promise<Minted>>();
  readonly #installations = new Map<string, Promise<Installation>>();
  #slug: Promise<string> | null = null;
  /** By how much GitHub's clock is before ours. */
  #skewMs = 0;

  constructor(parts: CredentialParts, app: GitHubAppConfig) {
    this.#parts = parts;
    this.#app = app;
  }

  for(
    repository: RepositoryName,
    purpose: Purpose,
  ): { readonly account: string; readonly authorize: Authorize } {
    const authorize: Authorize = async ({ isRefused }) => {
      if (isRefused) this.#minted.delete(keyOf(repository, purpose));
      return `Bearer ${await this.token(repository, purpose)}`;
    };
    // Limits count for an installation, whatever its tokens are narrowed to.
    return { account: `installation ${repository.owner.toLowerCase()}`, authorize };
  }

  async token(repository: RepositoryName, purpose: Purpose): Promise<string> {
    const key = keyOf(repository, purpose);
    const known = this.#minted.get(key);
    if (known !== undefined) {
      const { token, endsMs } = await known;
      if (endsMs - this.#parts.clock.nowMs() > renewedBeforeEndMs) return token;
      if (this.#minted.get(key) === known) this.#minted.delete(key);
    }
    const minting = this.#minted.get(key) ?? this.#mint(repository, purpose);
    this.#minted.set(key, minting);
    minting.catch(() => {
      if (this.#minted.get(key) === minting) this.#minted.delete(key);
    });
    return (await minting).token;
  }

  login(): Promise<string> {
    this.#slug ??= this.appSlug().then((slug) => `${slug}[bot]`);
    this.#slug.catch(() => (this.#slug = null));
    return this.#slug;
  }

  async appSlug(): Promise<string> {
    const { value } = await this.#parts.client.json(
      { method: 'GET', path: '/app', what: 'its own App', isPolled: true },
      appSchema,
      'app',
      this.asApp,
    );
    return value.slug;
  }

  /** Where the App is installed for a repository, and what it may do there. Asked anew. */
  async installation({ owner, name }: RepositoryName): Promise<Installation> {
    const { client, forge } = this.#parts;
    const path = `/repos/${owner}/${name}/installation`;
    const what = `the installation of the App on ${owner}/${name}`;
    const { value } = await client
      .json({ method: 'GET', path, what }, installationSchema, 'app', this.asApp)
      .catch((error: unknown) => {
        if (!(error instanceof BerthError) || error.code !== 'FORGE_NOT_FOUND') throw error;
        throw new BerthError(
          'FORGE_NOT_FOUND',
          `The App of ${forge} is not installed on ${owner}/${name}, or there is no such repository.`,
          { cause: error, next: 'Install the App on the repository (Settings → Applications of its owner).' },
        );
      });
    return value;
  }

  /** Signs in as the App itself: only to look at it and to mint. */
  readonly asApp: Authorize = async ({ isRefused, answer }) => {
    const { clock } = this.#parts;
    const theirs = isRefused ? Date.parse(answer?.headers.date ?? '') : Number.NaN;
    if (Number.isFinite(theirs)) this.#skewMs = theirs - clock.nowMs();
    return `Bearer ${await this.#jwt()}`;
  };

  async #jwt(): Promise<string> {
    const { read, clock, forge, signal } = this.#parts;
    const pem = await read(this.#app.privateKey, signal, `forges.${forge}.privateKey`);
    let key;
    try {
      key = createPrivateKey(pem);
    } catch (error) {
      throw new BerthError('FORGE_AUTH_FAILED', `app.privateKey of ${forge} is no private key in PEM.`, {
        next: 'Generate a private key in the settings of the App and give the file it downloads.',
        cause: error instanceof Error ? error.name : undefined,
      });
    }
    const now = Math.floor((clock.nowMs() + this.#skewMs) / 1_000);
    return new SignJWT({})
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(this.#app.id)
      .setIssuedAt(now - jwtSeconds.before)
      .setExpirationTime(now + jwtSeconds.after)
      .sign(key);
  }

  async #mint(repository: RepositoryName, purpose: Purpose): Promise<Minted> {
    const { client, forge, learn } = this.#parts;
    const key = `${repository.owner}/${repository.name}`.toLowerCase();
    const asking = this.#installations.get(key) ?? this.installation(repository);
    this.#installations.set(key, asking);
    // What it may do can change at any time: a refusal below asks anew.
    const forget = (error: unknown): never => {
      this.#installations.delete(key);
      throw error;
    };
    const { id, permissions } = await asking.catch(forget);
    const { ask, missing } = permissionsFor(purpose, permissions);
    if (missing.length > 0) {
      this.#installations.delete(key);
      throw new BerthError(
        'FORGE_FORBIDDEN',
        `The App of ${forge} lacks a permission on ${key}: ${missing.join(', ')}.`,
        { next: 'Grant it in the settings of the App, and let the owner of the repository accept it.' },
      );
    }
    const { value } = await client
      .json(
        {
          method: 'POST',
          path: `/app/installations/${id}/access_tokens`,
          body: { repositories: [repository.name], permissions: ask },
          what: `minting a token for ${key}`,
          // One that nobody received ends by itself within the hour.
          isRepeatable: true,
        },
        mintedSchema,
        'app',
        this.asApp,
      )
      .catch(forget);
    const endsMs = Date.parse(value.expires_at);
    learn({ name: `forges.${forge}.installation`, value: value.token }, endsMs);
    return { token: value.token, endsMs };
  }
}

export interface Installation {
  readonly id: number;
  readonly permissions: Readonly<Record<string, string>>;
}

function keyOf({ owner, name }: RepositoryName, purpose: Purpose): string {
  return `${owner}/${name} ${purpose}`.toLowerCase();
}
