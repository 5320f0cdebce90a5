-- Where in its parent's log a run began.
alter table runs add column parent_seq int;
-- More of the projection: what lists show besides the status.
alter table runs add column changes jsonb;
alter table runs add column strip jsonb;

-- The transaction that changed the row last. Readers of changes take those below their snapshot's xmin: all of these are
-- visible, and none can appear there later. A BRIN index, because only that leaves appends their cheap (HOT) updates.
alter table runs add column changed bigint not null default 0;
create function note_run_change() returns trigger language plpgsql as $$
begin
  new.changed := pg_current_xact_id()::text::bigint;
  return new;
end $$;
create trigger runs_note_change before insert or update on runs for each row execute function note_run_change();
create index runs_changed on runs using brin (changed) with (pages_per_range = 8, autosummarize = on);

create index tasks_by_age on tasks (created_at desc, id desc);
create index tasks_by_project on tasks (project_id, created_at desc, id desc);
create index runs_by_project on runs (project_id, created_at desc, id desc);

-- What people see of a run at some entries of its log, so that any other is a few entries away. A hint: it can be made anew.
create table view_snapshots (
  run_id text not null references runs,
  seq int not null,
  -- Version of the fold that made it: another version's is not used.
  version int not null,
  hash text not null,
  state jsonb not null,
  primary key (run_id, seq)
);
