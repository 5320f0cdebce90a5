import { sql, type Selectable } from 'kysely';
import type { Permission, TokenScope } from '../../domain/access.ts';
import { batchesOf } from '../batches.ts';
import type { Database } from '../database.ts';
import type { TokenTables } from '../token-tables.ts';

export interface TokenRecord {
  readonly id: string;
  readonly secretHash: Buffer;
  readonly owner: string;
  readonly ownerKind: 'person' | 'service' | 'local';
  readonly ownerName: string;
  readonly purpose: string;
  readonly scope: TokenScope;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt: Date;
  /** By the database's clock. */
  readonly isExpired: boolean;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
  readonly lastUsed: { readonly at: Date; readonly route: string; readonly address: string | null } | null;
  /** Whether the last use was noted so long ago that it is due again. */
  readonly isUseDue: boolean;
}

export type NewToken = Pick<
  TokenRecord,
  'id' | 'secretHash' | 'owner' | 'ownerKind' | 'ownerName' | 'purpose' | 'scope' | 'createdBy'
> & { readonly ttlMs: number };

const isExpired = sql<boolean>`expires_at <= clock_timestamp()`.as('is_expired');
const isUseDue = sql<boolean>`coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)`.as(
  'is_use_due',
);

export async function insertToken(db: Database, token: NewToken): Promise<TokenRecord> {
  const row = await db.sql
    .insertInto('api_tokens')
    .values({
      id: token.id,
      secret_hash: token.secretHash,
      owner: token.owner,
      owner_kind: token.ownerKind,
      owner_name: token.ownerName,
      purpose: token.purpose,
      scope_projects: token.scope.projects === null ? null : [...token.scope.projects],
      scope_permissions: token.scope.permissions === null ? null : [...token.scope.permissions],
      created_by: token.createdBy,
      expires_at: sql<Date>`clock_timestamp() + ${token.ttlMs} * interval '1 millisecond'`,
    })
    .returningAll()
    .returning([isExpired, isUseDue])
    .executeTakeFirstOrThrow();
  return toRecord(row);
}

/** Asked for every request: columns by name, so that the statement is parsed once for a connection. */
const columns = [
  'id',
  'secret_hash',
  'owner',
  'owner_kind',
  'owner_name',
  'purpose',
  'scope_projects',
  'scope_permissions',
  'created_at',
  'created_by',
  'expires_at',
  'revoked_at',
  'revoked_by',
  'last_used_at',
  'last_used_route',
  'last_used_address',
] as const;

export async function findToken(db: Database, id: string): Promise<TokenRecord | null> {
  return (await findingsOf(db).do(id)).token;
}

/** Requests that come while one is looked up share the next look: never one that began before them. */
const findingsOf = batchesOf<string, { readonly token: TokenRecord | null }>((db) => {
  const together = async (ids: readonly string[]) => {
    const rows = await db.sql
      .selectFrom('api_tokens')
      .select([...columns, isExpired, isUseDue])
      .where('id', '=', sql<string>`any(${[...ids]}::text[])`)
      .execute();
    const found = new Map(rows.map((row) => [row.id, toRecord(row)]));
    return ids.map((id) => ({ token: found.get(id) ?? null }));
  };
  return { together, alone: async (id) => (await together([id]))[0] ?? { token: null } };
});

/** Newest first; those that have been over for more than 90 days are left out. */
export async function listTokens(
  db: Database,
  filter: { readonly owner?: string; readonly id?: string; readonly limit: number },
): Promise<readonly TokenRecord[]> {
  let query = db.sql
    .selectFrom('api_tokens')
    .selectAll()
    .select([isExpired, isUseDue])
    .where(sql<boolean>`coalesce(revoked_at, expires_at) > clock_timestamp() - interval '90 days'`)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit);
  if (filter.owner !== undefined) query = query.where('owner', '=', filter.owner);
  if (filter.id !== undefined) query = query.where('id', '=', filter.id);
  return (await query.execute()).map(toRecord);
}

/** Marks a token as revoked; the first one counts. Null: there is none. */
export async function revokeToken(db: Database, id: string, by: string): Promise<TokenRecord | null> {
  const row = await db.sql
    .updateTable('api_tokens')
    .set({
      revoked_at: sql<Date>`coalesce(revoked_at, clock_timestamp())`,
      revoked_by: sql<string>`coalesce(revoked_by, ${by})`,
    })
    .where('id', '=', id)
    .returningAll()
    .returning([isExpired, isUseDue])
    .executeTakeFirst();
  return row === undefined ? null : toRecord(row);
}

/** Notes when, where and from where a token was used, at most once a minute whatever the number of replicas. */
export async function noteTokenUse(
  db: Database,
  id: string,
  use: { readonly route: string; readonly address: string | null },
): Promise<void> {
  await db.sql
    .updateTable('api_tokens')
    .set({
      last_used_at: sql<Date>`clock_timestamp()`,
      last_used_route: use.route,
      last_used_address: use.address,
    })
    .where('id', '=', id)
    .where(sql<boolean>`coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)`)
    .execute();
}

type Row = Selectable<TokenTables['api_tokens']> & { is_expired: boolean; is_use_due: boolean };

function toRecord(row: Row): TokenRecord {
  return {
    id: row.id,
    secretHash: row.secret_hash,
    owner: row.owner,
    ownerKind: row.owner_kind,
    ownerName: row.owner_name,
    purpose: row.purpose,
    scope: {
      projects: row.scope_projects,
      // A permission that a newer version wrote is none here.
      permissions: row.scope_permissions as Permission[] | null,
    },
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    isExpired: row.is_expired,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
    lastUsed:
      row.last_used_at === null
        ? null
        : { at: row.last_used_at, route: row.last_used_route ?? '', address: row.last_used_address },
    isUseDue: row.is_use_due,
  };
}
