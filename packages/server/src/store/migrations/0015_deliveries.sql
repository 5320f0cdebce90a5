-- What came in by webhooks: stored before it is answered, kept for a while.
create table deliveries (
  id text primary key,
  entrance text not null check (entrance in ('forge', 'trigger')),
  -- Of the forge or trigger it came in by.
  name text not null,
  -- How the sender names it, or the digest of its body.
  external_id text not null,
  -- Digest of what was signed, where that holds the time: the same signature counts once, whatever it calls itself.
  fingerprint text,
  -- `issues.labeled`; `webhook`.
  event text not null,
  -- What it is about: `acme/web#12`.
  subject text,
  -- Null where no project of ours is meant.
  project_id text references projects,
  -- JSON, redacted.
  body text not null,
  bytes int not null,
  received_at timestamptz not null,
  -- `waiting`: not yet handed to the queue; `queued`: it is; the rest is settled.
  state text not null check (state in ('waiting', 'queued', 'done', 'ignored', 'dead')),
  -- Grows when somebody has it run again.
  round int not null default 1,
  attempts int not null default 0,
  code text,
  reason text,
  -- Sentences for people: what was left out.
  notes jsonb not null default '[]',
  trigger text,
  task_id text references tasks,
  settled_at timestamptz
);
create unique index deliveries_once on deliveries (entrance, name, external_id);
create unique index deliveries_signed_once on deliveries (entrance, name, fingerprint) where fingerprint is not null;
create index deliveries_open on deliveries (entrance, name) where state in ('waiting', 'queued');
create index deliveries_waiting on deliveries (received_at) where state = 'waiting';
create index deliveries_old on deliveries (entrance, name, received_at);

-- What tasks were made of: one for each issue, whichever trigger or delivery comes first.
create table trigger_objects (
  key text primary key,
  task_id text references tasks,
  first_seen_at timestamptz not null
);
create index tasks_of_triggers on tasks (idempotency_key) where idempotency_key like 'forge:%';

-- The one comment that says on the forge how a task goes.
create table trigger_acknowledgements (
  task_id text primary key references tasks,
  project_id text not null references projects,
  number int not null,
  -- What was said last; null: nothing yet.
  told text,
  attempts int not null default 0,
  -- Null: nothing more is said.
  due_at timestamptz
);
create index trigger_acknowledgements_due on trigger_acknowledgements (due_at) where due_at is not null;
