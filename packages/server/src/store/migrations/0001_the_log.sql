create table projects (
  id text primary key,
  name text not null,
  repository text not null unique,
  created_at timestamptz not null default now()
);

create table tasks (
  id text primary key,
  project_id text not null references projects,
  title text not null,
  text text not null,
  origin jsonb not null,
  branch text not null unique,
  -- The same request delivered again finds the task it made.
  idempotency_key text unique,
  created_at timestamptz not null default now()
);

create table workers (
  id text primary key,
  -- Where streams of its runs are reached; null: nowhere but in its own process.
  address text,
  registered_at timestamptz not null default clock_timestamp(),
  -- Judged by this database's clock alone. A lease that ran out is never renewed.
  lease_expires_at timestamptz not null
);

create table runs (
  id text primary key,
  task_id text not null references tasks,
  project_id text not null references projects,
  parent text references runs,
  attempt int not null,
  created_at timestamptz not null default now(),

  -- The head of the log: how many entries, and the hash of the last.
  seq int not null,
  head text not null,

  -- Who may append. The epoch grows with every change of owner.
  owner_worker text,
  owner_epoch int not null default 0,

  -- Waiting for an owner; the place in the queue is kept when a run goes back.
  waiting boolean not null default true,
  queued_at timestamptz not null default clock_timestamp(),
  queue_code text,
  queue_position int,

  inbox_count int not null default 0,

  -- The projection: written with every append, always equal to the fold of the log.
  state text not null,
  code text,
  reason text not null,
  next text,
  since timestamptz not null,
  last_event_at timestamptz,
  step text,
  round_n int,
  round_of int,
  cost_usd double precision not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  model_calls int not null default 0,
  active_ms bigint not null default 0,
  pull_request jsonb
);
create index runs_by_task on runs (task_id);
create index runs_by_age on runs (created_at desc, id desc);
create index runs_waiting on runs (queued_at) where waiting and owner_worker is null;
create index runs_owned on runs (owner_worker) where owner_worker is not null;

create table events (
  run_id text not null references runs,
  seq int not null,
  type text not null,
  version int not null,
  at timestamptz not null,
  payload_hash text not null,
  prev_hash text not null,
  hash text not null,
  primary key (run_id, seq)
);

-- Apart from the entries, so that contents can be erased with the chain still valid.
create table event_payloads (
  run_id text not null,
  seq int not null,
  -- Exactly one of these three is set.
  data jsonb,
  blob text,
  erased_at timestamptz,
  primary key (run_id, seq),
  foreign key (run_id, seq) references events,
  check (num_nonnulls(data, blob, erased_at) = 1)
);

create table run_snapshots (
  run_id text primary key references runs,
  seq int not null,
  -- Version of the fold that made it: another version's is not used.
  version int not null,
  hash text not null,
  state jsonb not null
);

create table inbox (
  id text primary key,
  -- The order in which the owner meets them.
  position bigint generated always as identity,
  run_id text not null references runs,
  kind text not null,
  data jsonb not null,
  by text not null,
  posted_at timestamptz not null default clock_timestamp(),
  -- The last entry of the append that took it in.
  consumed_seq int
);
create index inbox_open on inbox (run_id, position) where consumed_seq is null;

create table run_budgets (
  run_id text primary key references runs,
  cap_usd numeric not null,
  cap_tokens bigint not null,
  cap_steps int not null,
  -- All limits of the run, those included that are not counted here.
  limits jsonb not null,
  used_usd numeric not null default 0,
  used_tokens bigint not null default 0,
  used_steps int not null default 0,
  reserved_usd numeric not null default 0,
  reserved_tokens bigint not null default 0,
  reserved_steps int not null default 0
);

create table reservations (
  run_id text not null references run_budgets,
  call_id text not null,
  usd numeric not null,
  tokens bigint not null,
  settled_usd numeric,
  settled_tokens bigint,
  reserved_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  primary key (run_id, call_id)
);
create index reservations_open on reservations (run_id) where settled_at is null;
