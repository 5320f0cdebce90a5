-- What the setup of a project made on its default branch, for later runs of that project.
create table setup_snapshots (
  -- Everything that the result of setup depends on, hashed; the project is part of it.
  key text primary key,
  project_id text not null references projects,
  -- A compressed tar. Hostile bytes: only ever given to a sandbox of the same project.
  blob text not null,
  files integer not null,
  bytes bigint not null,
  stored_bytes bigint not null,
  made_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  -- The run in whose sandbox it was made.
  run_id text not null
);
create index setup_snapshots_project on setup_snapshots (project_id, last_used_at);
create index setup_snapshots_blob on setup_snapshots (blob);
