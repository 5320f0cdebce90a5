import type { ColumnType } from 'kysely';

type Instant = ColumnType<Date, Date | string, Date | string>;
type GeneratedInstant = ColumnType<Date, Date | string | undefined, Date | string>;
type Later<Type> = ColumnType<Type | null, Type | null | undefined, Type | null>;

/** Tables of tokens, revocations and idempotency keys (migration 0005). */
export interface TokenTables {
  api_tokens: {
    id: string;
    secret_hash: ColumnType<Buffer, Buffer, never>;
    owner: string;
    owner_kind: 'person' | 'service' | 'local';
    owner_name: string;
    purpose: string;
    scope_projects: string[] | null;
    scope_permissions: string[] | null;
    created_at: GeneratedInstant;
    created_by: string;
    expires_at: Instant;
    revoked_at: Later<Date>;
    revoked_by: Later<string>;
    last_used_at: Later<Date>;
    last_used_route: Later<string>;
    last_used_address: Later<string>;
  };
  revocations: { id: string; at: GeneratedInstant; forget_at: Instant };
  idempotent_requests: {
    principal: string;
    route: string;
    key: string;
    body_hash: string;
    started_at: GeneratedInstant;
    settled_at: Later<Date>;
    status: Later<number>;
    content_type: Later<string>;
    body: Later<string>;
  };
}
