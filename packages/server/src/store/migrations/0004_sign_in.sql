-- Who is signed in by a session. Only the hash (SHA-256, hex) of what the cookie holds is kept. All times are the
-- database's own; how long a session lasts is asked anew of the configuration at each use.
create table sessions (
  id text primary key,
  secret_hash text not null unique,
  principal text not null,
  kind text not null check (kind in ('person', 'local')),
  name text not null,
  via text not null check (via in ('oidc', 'link')),
  -- Values of the group claim when the session began.
  claims jsonb not null default '[]',
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  address text,
  agent text
);
create index sessions_by_principal on sessions (principal, last_used_at);
create index sessions_by_use on sessions (last_used_at);

-- Whom Berth has seen, by whichever way in; what the group claim said last.
create table people_seen (
  id text primary key,
  name text not null,
  via text not null,
  claims jsonb not null default '[]',
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now()
);
create index people_seen_by_time on people_seen (last_seen_at desc);

-- Sign-ins that are on their way through an OpenID Connect provider: each is used once, by the browser that began it.
create table oidc_logins (
  state_hash text primary key,
  browser_hash text not null,
  issuer text not null,
  client_id text not null,
  redirect_uri text not null,
  nonce text not null,
  verifier text not null,
  return_to text not null,
  created_at timestamptz not null default now()
);
create index oidc_logins_by_time on oidc_logins (created_at);

-- One-time links of the account that runs this installation.
create table sign_in_links (
  code_hash text primary key,
  account text not null,
  created_at timestamptz not null default now()
);

-- Random keys that all replicas share; they protect nothing but forms against other sites.
create table access_keys (
  name text primary key,
  value text not null,
  created_at timestamptz not null default now()
);
