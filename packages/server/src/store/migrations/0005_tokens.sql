-- Tokens of people, service accounts and the account of this machine. The secret itself is nowhere.
create table api_tokens (
  id text primary key,
  -- SHA-256 of the secret, which has 256 random bits.
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  owner text not null,
  owner_kind text not null check (owner_kind in ('person', 'service', 'local')),
  owner_name text not null,
  purpose text not null,
  -- Null: all that the owner may see, or do.
  scope_projects text[],
  scope_permissions text[],
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text,
  last_used_at timestamptz,
  last_used_route text,
  last_used_address text
);
create index api_tokens_by_owner on api_tokens (owner, created_at);

-- Tokens and sessions that are over before their time. An id that stands here never comes back to life.
create table revocations (
  id text primary key,
  at timestamptz not null default clock_timestamp(),
  -- From then on it would be over anyway, and the row can go.
  forget_at timestamptz not null
);
create index revocations_to_forget on revocations (forget_at);

-- First answers to requests that carried an idempotency key.
create table idempotent_requests (
  principal text not null,
  route text not null,
  key text not null,
  body_hash text not null,
  started_at timestamptz not null default clock_timestamp(),
  -- Null while the first request is under way.
  settled_at timestamptz,
  status int,
  content_type text,
  -- Null where the answer holds a secret and is not kept.
  body text,
  primary key (principal, route, key)
);
create index idempotent_requests_by_age on idempotent_requests (started_at);

-- A key is whoever sent it: somebody else's never answers with their task.
alter table tasks drop constraint tasks_idempotency_key_key;
create unique index tasks_by_key on tasks ((origin ->> 'by'), idempotency_key);
