import { localPrincipal, type Permission, type Principal, type TokenScope } from '../domain/access.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import { newId } from '../domain/ids.ts';
import { maxTokenDays, previewOf, type TokenView } from '../domain/token.ts';
import type { Database } from '../store/database.ts';
import { findProjects } from '../store/tokens/project-names.ts';
import { findToken, insertToken, listTokens, revokeToken, type TokenRecord } from '../store/tokens/tokens.ts';
import { currentRoles } from './current-roles.ts';
import type { Revocations } from './revocations.ts';
import type { Identity } from './roles-of.ts';
import { newTokenText } from './token-text.ts';

const dayMs = 86_400_000;
const mostListed = 1_000;

export interface TokenParts {
  readonly db: Database;
  readonly config: CurrentConfig;
  readonly revocations: Revocations;
  /** Group claims of a person at their last sign-in. */
  readonly claimsOf: (personId: string) => Promise<readonly string[]>;
  /** Name of the account this server runs as. */
  readonly account: string;
}

export interface CreateToken {
  readonly purpose: string;
  /** Project ids; null: all. */
  readonly projects: readonly string[] | null;
  readonly permissions: readonly Permission[] | null;
  readonly days: number;
  /** Name of a service account; null: the principal's own. */
  readonly serviceAccount: string | null;
}

export interface CreatedToken {
  readonly token: TokenView;
  /** Shown this once. */
  readonly secret: string;
  /** What it can do now, in sentences. */
  readonly preview: readonly string[];
}

/** Making, listing and revoking tokens. Whether somebody may do so for others is decided before. */
export interface Tokens {
  /**
   * @throws BerthError `TOKEN_MAY_NOT_MINT` for a token, `NOT_FOUND` for an unknown service account, `USAGE`,
   *   `TOKEN_OWNER_DISABLED`
   */
  create(principal: Principal, wish: CreateToken): Promise<CreatedToken>;
  list(filter: { readonly owner?: string; readonly id?: string }): Promise<readonly TokenView[]>;
  /** Null: there is none. */
  get(id: string): Promise<TokenView | null>;
  /** At once, open streams included; revoking again changes nothing. Null: there is none. */
  revoke(principal: Principal, id: string): Promise<TokenView | null>;
}

export function createTokens(parts: TokenParts): Tokens {
  const { db, config, revocations } = parts;
  const rolesNow = rightsOfOwner(parts);

  const viewsOf = async (records: readonly TokenRecord[]): Promise<TokenView[]> => {
    const ids = [...new Set(records.flatMap((record) => record.scope.projects ?? []))];
    const names = new Map((await findProjects(db, { ids })).map(({ id, name }) => [id, name]));
    return records.map((record) => viewOf(record, names));
  };
  const get = async (id: string): Promise<TokenView | null> => {
    const record = await findToken(db, id);
    return record === null ? null : ((await viewsOf([record]))[0] ?? null);
  };

  return {
    async create(principal, wish) {
      mayMint(principal);
      const owner = ownerOf(principal, wish.serviceAccount, config);
      if (!(wish.days > 0 && wish.days <= maxTokenDays)) {
        throw new BerthError('USAGE', `A token lives at most ${maxTokenDays} days.`);
      }
      const roles = await rolesNow(owner);
      const id = newId('k', db.clock.nowMs());
      const { text, hash } = newTokenText(id);
      const record = await insertToken(db, {
        id,
        secretHash: hash,
        owner: owner.id,
        ownerKind: owner.kind,
        ownerName: owner.name,
        purpose: wish.purpose,
        scope: { projects: wish.projects, permissions: wish.permissions },
        createdBy: principal.id,
        ttlMs: wish.days * dayMs,
      });
      const [token] = await viewsOf([record]);
      if (token === undefined) throw new BerthError('INTERNAL', 'A token was made and is not there.');
      return { token, secret: text, preview: previewOf(roles, token.projects, wish.permissions) };
    },
    list: async (filter) => viewsOf(await listTokens(db, { ...filter, limit: mostListed })),
    get,
    async revoke(principal, id) {
      const record = await revokeToken(db, id, principal.id);
      if (record === null) return null;
      await revocations.announce([id], record.expiresAt);
      return (await viewsOf([record]))[0] ?? null;
    },
  };
}

export interface TokenOwner {
  readonly kind: TokenRecord['ownerKind'];
  readonly id: string;
  readonly name: string;
}

/**
 * What the owner of a token may do at this moment.
 * @throws BerthError `TOKEN_OWNER_DISABLED`
 */
export function rightsOfOwner({
  db,
  config,
  claimsOf,
  account,
}: Pick<TokenParts, 'db' | 'config' | 'claimsOf' | 'account'>): (
  owner: TokenOwner,
) => Promise<Pick<Principal, 'globalRole' | 'projectRoles'>> {
  const roles = currentRoles(db, config);
  const local = localPrincipal(account);
  return async ({ kind, id, name }) => {
    if (kind === 'local') {
      // The account of the server has all rights, as it could take them with the files; another account has none.
      if (id !== local.id)
        throw new BerthError('TOKEN_OWNER_DISABLED', `This server does not run as ${name}.`);
      return { globalRole: local.globalRole, projectRoles: {} };
    }
    const identity: Identity = { kind, id, name, claims: kind === 'person' ? await claimsOf(id) : [] };
    return roles(identity);
  };
}

/** Only who came in themselves, by a session or over the socket, makes tokens: none can outlive or outgrow another. */
function mayMint(principal: Principal): void {
  if (principal.tokenId !== null || principal.scope !== null || principal.via === 'token') {
    throw new BerthError('TOKEN_MAY_NOT_MINT');
  }
}

function ownerOf(principal: Principal, serviceAccount: string | null, config: CurrentConfig): TokenOwner {
  if (serviceAccount === null) return { kind: principal.kind, id: principal.id, name: principal.name };
  const account = config.current().config.serviceAccounts.find((one) => one.name === serviceAccount);
  if (account === undefined) {
    throw new BerthError('NOT_FOUND', `There is no service account ${serviceAccount}.`, {
      next: 'Add it under `serviceAccounts` in the configuration.',
    });
  }
  return { kind: 'service', id: `service:${account.name}`, name: account.name };
}

function viewOf(record: TokenRecord, names: ReadonlyMap<string, string>): TokenView {
  const { scope, lastUsed } = record;
  return {
    schema: 'berth.token/v1',
    id: record.id,
    owner: record.owner,
    ownerName: record.ownerName,
    purpose: record.purpose,
    projects: scopeProjects(scope, names),
    permissions: scope.permissions === null ? null : [...scope.permissions],
    state: record.revokedAt === null ? (record.isExpired ? 'expired' : 'active') : 'revoked',
    createdAt: record.createdAt.toISOString(),
    createdBy: record.createdBy,
    expiresAt: record.expiresAt.toISOString(),
    revokedAt: record.revokedAt?.toISOString() ?? null,
    revokedBy: record.revokedBy,
    lastUsed:
      lastUsed === null
        ? null
        : { at: lastUsed.at.toISOString(), route: lastUsed.route, address: lastUsed.address },
  };
}

function scopeProjects(scope: TokenScope, names: ReadonlyMap<string, string>): TokenView['projects'] {
  return scope.projects?.map((id) => ({ id, name: names.get(id) ?? null })) ?? null;
}
