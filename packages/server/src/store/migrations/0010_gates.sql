-- The gate a run waits at, as lists show it; part of the projection, written with every append. Null: none is open.
alter table runs add column gate jsonb;
alter table runs add column gate_expires_at timestamptz;
create index runs_at_gates on runs (gate_expires_at) where gate_expires_at is not null;

-- Of all that decide a gate at once, one gets in.
create unique index inbox_decisions on inbox (run_id, (data->>'gateId')) where kind = 'gate' and consumed_seq is null;

-- What people outside are to be told, noted by the database with the event itself, so that no crash loses it. Whoever
-- delivers it removes it.
create table notifications (
  run_id text not null,
  seq int not null,
  type text not null,
  attempts int not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  primary key (run_id, seq),
  foreign key (run_id, seq) references events
);
create index notifications_due on notifications (due_at);
create function note_event() returns trigger language plpgsql as $$
begin
  insert into notifications (run_id, seq, type) values (new.run_id, new.seq, new.type);
  return null;
end $$;
create trigger event_noted after insert on events for each row
  when (new.type in ('gate.opened', 'gate.decided', 'run.ended')) execute function note_event();
