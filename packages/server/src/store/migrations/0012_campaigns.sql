-- One task text over many projects.
create table campaigns (
  id text primary key,
  title text not null,
  text text not null,
  options jsonb not null,
  created_by text not null,
  created_at timestamptz not null,
  concurrency int not null check (concurrency between 1 and 100),
  -- So many go first and have to succeed; 0: none.
  canary int not null default 0,
  -- Share of failures (0 to 1) at which it stops; null: never.
  stop_rate double precision,
  -- So many have to be over before that share says anything.
  stop_after int not null,
  state text not null check (state in ('running', 'paused', 'stopped', 'cancelled', 'done')),
  code text,
  reason text,
  state_by text not null,
  state_since timestamptz not null,
  -- The canary is over, or somebody went on without it.
  canary_passed boolean not null default false,
  -- Failures count among what was handed in from here on.
  judged_from timestamptz not null
);
create index campaigns_moving on campaigns (created_at) where state in ('running', 'cancelled');
create index campaigns_newest on campaigns (created_at desc, id desc);

create table campaign_projects (
  campaign_id text not null references campaigns,
  project_id text not null references projects,
  position int not null,
  -- Set once it is its turn, before anything is handed in; whoever looks next hands it in under the same key.
  claimed_at timestamptz,
  task_id text references tasks,
  -- Why nothing could be handed in.
  refused_code text,
  refused_reason text,
  -- Somebody asked for another attempt of this run; `retry_claimed`: it is its turn.
  retry_of text,
  retry_claimed boolean not null default false,
  cancel_asked boolean not null default false,
  primary key (campaign_id, project_id)
);
create unique index campaign_projects_place on campaign_projects (campaign_id, position);
create index campaign_projects_of on campaign_projects (project_id);
