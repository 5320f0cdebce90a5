-- Names of projects lead to rights: no two projects share one.
update projects set name = name || '-' || right(id, 6)
  where exists (select 1 from projects other where other.name = projects.name and other.id < projects.id);
create unique index projects_by_name on projects (name);
-- Whether the configuration names it now. One that vanished from it keeps its history.
alter table projects add column configured boolean not null default false;

-- What counts, whenever it changed. Runs pin a number. References to secrets stand in it, never a secret.
create table config_revisions (
  number int primary key,
  digest text not null,
  document jsonb not null,
  sources jsonb not null,
  -- Which layer the change came from.
  source text not null check (source in ('file', 'database')),
  by text not null,
  at timestamptz not null default clock_timestamp()
);

-- The layer of the file: the one that was imported last.
create table config_file (
  only_row boolean primary key default true check (only_row),
  digest text not null,
  document jsonb not null,
  place text not null,
  imported_at timestamptz not null default clock_timestamp()
);

-- Which file each replica holds, by host and path.
create table config_replicas (
  place text primary key,
  digest text not null,
  seen_at timestamptz not null default clock_timestamp()
);

-- The layer of the API, object by object; name '' for a section that is one object. A version is never given twice,
-- also not to what was deleted and made again.
create sequence config_object_versions;
create table config_objects (
  section text not null,
  name text not null,
  value jsonb not null,
  version bigint not null default nextval('config_object_versions'),
  changed_by text not null,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (section, name)
);
