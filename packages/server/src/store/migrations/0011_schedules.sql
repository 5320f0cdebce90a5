-- What became of each schedule of the configuration; the schedules themselves stand there.
create table schedule_states (
  name text primary key,
  -- Cron, time zone and project it counts for: another one begins anew.
  definition text not null,
  -- Planned times up to here were dealt with.
  handled_to timestamptz not null,
  -- Set: it fires no more until it is resumed.
  paused_at timestamptz,
  paused_by text,
  paused_code text,
  paused_reason text,
  -- Failures count from here on.
  judged_from timestamptz not null
);

-- One row for each firing, and each that was left out.
create table schedule_firings (
  schedule text not null,
  -- The planned time, or when somebody asked for it.
  planned_at timestamptz not null,
  kind text not null check (kind in ('planned', 'missed', 'asked')),
  -- `open`: decided and not yet handed in; whoever looks next hands it in under the same key.
  outcome text not null check (outcome in ('open', 'handed_in', 'left_out', 'refused')),
  task_id text references tasks,
  -- Why it was left out or refused.
  code text,
  reason text,
  by text not null,
  decided_at timestamptz not null,
  primary key (schedule, planned_at, kind)
);
create index schedule_firings_open on schedule_firings (schedule, planned_at) where outcome = 'open';
create index schedule_firings_task on schedule_firings (task_id) where task_id is not null;
