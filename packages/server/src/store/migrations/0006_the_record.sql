-- The record of acts: rows are only ever added, and sealed in batches by a signed chain (docs/audit.md).
create sequence audit_positions as bigint;

-- The transaction gets its number before the row gets its position: so once every transaction that had a number at
-- some moment is over, every position drawn before that moment is decided, and none below it can still appear.
create function audit_next_position() returns bigint language plpgsql volatile as $$
begin
  perform pg_current_xact_id();
  return nextval('audit_positions');
end $$;

create table audit_entries (
  position bigint primary key default audit_next_position(),
  -- An act that changes something has two rows: `begin` before it and `end` after it.
  act text not null,
  phase text not null check (phase in ('whole', 'begin', 'end')),
  at timestamptz(3) not null,
  by_id text not null,
  by_kind text not null,
  token_id text,
  via text not null,
  action text not null,
  object_kind text not null,
  object_id text not null,
  project_id text,
  result text,
  code text,
  address text,
  agent text,
  request_id text,
  details jsonb not null,
  unique (act, phase),
  check ((phase = 'begin') = (result is null))
);
create index audit_by_person on audit_entries (by_id, position);
create index audit_by_object on audit_entries (object_id, position);

create table audit_seals (
  number bigint primary key,
  kind text not null check (kind in ('seal', 'cut')),
  at timestamptz(3) not null,
  from_position bigint not null,
  to_position bigint not null,
  count int not null,
  -- 36 bytes for each entry: its position less `from_position` (4 bytes, big endian), its SHA-256.
  leaves bytea not null,
  -- Heads of runs at that time: [[run, seq, hash], …].
  runs jsonb not null,
  -- Of a cut: everything up to and with this seal and position may be gone.
  cut jsonb,
  prev_hash text not null,
  hash text not null,
  key_id text not null,
  signature text not null,
  check ((kind = 'cut') = (cut is not null))
);
create index audit_cuts on audit_seals (number) where kind = 'cut';

-- Which head of each run stands in a seal already. Only spares the sealer work: verification never reads it.
create table audit_anchored (
  run_id text primary key,
  seq int not null,
  head text not null
);

create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the record of acts is append-only: % on % refused', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

-- A row may go only where a cut stands on record that covers it. Whether that cut is signed is what verification asks.
create function audit_refuse_uncut_entry() returns trigger language plpgsql as $$
begin
  if exists (select from audit_seals where kind = 'cut' and (cut ->> 'position')::bigint >= old.position) then
    return old;
  end if;
  raise exception 'the record of acts is append-only: % on % refused', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

create function audit_refuse_uncut_seal() returns trigger language plpgsql as $$
begin
  if exists (select from audit_seals where kind = 'cut' and (cut ->> 'number')::bigint >= old.number) then
    return old;
  end if;
  raise exception 'the record of acts is append-only: % on % refused', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

create trigger audit_entries_update before update on audit_entries for each row execute function audit_refuse();
create trigger audit_entries_delete before delete on audit_entries
  for each row execute function audit_refuse_uncut_entry();
create trigger audit_entries_truncate before truncate on audit_entries
  for each statement execute function audit_refuse();
create trigger audit_seals_update before update on audit_seals for each row execute function audit_refuse();
create trigger audit_seals_delete before delete on audit_seals
  for each row execute function audit_refuse_uncut_seal();
create trigger audit_seals_truncate before truncate on audit_seals
  for each statement execute function audit_refuse();
-- Also where a session plays a replica, which silences ordinary triggers.
alter table audit_entries enable always trigger audit_entries_update;
alter table audit_entries enable always trigger audit_entries_delete;
alter table audit_entries enable always trigger audit_entries_truncate;
alter table audit_seals enable always trigger audit_seals_update;
alter table audit_seals enable always trigger audit_seals_delete;
alter table audit_seals enable always trigger audit_seals_truncate;

-- Removes what the newest cut covers. Runs with its owner's rights: whoever writes acts needs no right to delete.
create function audit_cut() returns bigint language plpgsql security definer set search_path from current as $$
declare
  newest jsonb;
  gone bigint;
begin
  select cut into newest from audit_seals where kind = 'cut' order by number desc limit 1;
  if newest is null then return 0; end if;
  delete from audit_entries where position <= (newest ->> 'position')::bigint;
  get diagnostics gone = row_count;
  delete from audit_seals where number <= (newest ->> 'number')::bigint;
  return gone;
end $$;
