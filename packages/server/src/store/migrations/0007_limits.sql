-- Whose run it is, copied from its task: admission counts by it and must not join ten thousand tasks. By trigger, so
-- that whoever inserts a run cannot forget it.
alter table runs add column principal text;
update runs set principal = tasks.owner from tasks where tasks.id = runs.task_id;
alter table runs alter column principal set not null;
create function set_run_principal() returns trigger language plpgsql as $$
begin
  new.principal := (select owner from tasks where id = new.task_id);
  return new;
end $$;
create trigger run_principal before insert on runs for each row execute function set_run_principal();

-- When it was first admitted: a run counts once in the budgets of runs, however often it goes back to the queue.
alter table runs add column admitted_at timestamptz;
update runs set admitted_at = created_at where owner_epoch > 0;

-- Why it waits, as admission found it; its place is computed when somebody looks, because it shifts all the time.
alter table runs drop column queue_position;
alter table runs add column queue_reason text;
-- The line its place is counted in: project, principal, or all.
alter table runs add column queue_line text;
-- When that reason ends by itself (a budget's period turns); null: when others end.
alter table runs add column queue_until timestamptz;
create index runs_in_line on runs (project_id, priority desc, queued_at, id) where waiting and owner_worker is null;
drop index runs_waiting;
-- For the median duration of a project's recent runs.
create index runs_finished on runs (project_id, created_at desc)
  where state in ('succeeded', 'failed', 'needs_human');

-- What was used and reserved in the present period: nine rows for each reservation (installation, project and principal,
-- each by day, week and month), kept whether or not a budget is configured, so that a new one counts at once.
create table budget_use (
  scope text not null check (scope in ('installation', 'project', 'principal')),
  -- Id of the project or principal; empty for the installation.
  id text not null,
  per text not null check (per in ('day', 'week', 'month')),
  -- First day (UTC) of the period the amounts belong to; older than the present one: they count for nothing.
  starts date not null default '-infinity',
  used_usd numeric not null default 0,
  reserved_usd numeric not null default 0,
  used_tokens bigint not null default 0,
  reserved_tokens bigint not null default 0,
  runs int not null default 0,
  primary key (scope, id, per)
) with (fillfactor = 50);

-- Whose budgets a reservation stands in; null: made before there were any.
alter table reservations add column project_id text;
alter table reservations add column principal text;
alter table reservations add column model text;

-- What was used, by the UTC day the call began. Written with the settlement, never recomputed from the logs.
create table usage_ledger (
  day date not null,
  project_id text not null references projects,
  principal text not null,
  -- Empty for what belongs to no model: runs, and what was used before the ledger was kept.
  model text not null,
  -- Of calls whose answer was seen: the sum over the logs.
  cost_usd numeric not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  calls int not null default 0,
  -- Of calls that may have been billed although their answer was never seen: counted against limits in full.
  lost_usd numeric not null default 0,
  lost_tokens bigint not null default 0,
  -- Runs that were first admitted on that day.
  runs int not null default 0,
  primary key (day, project_id, principal, model)
);

insert into usage_ledger (day, project_id, principal, model, cost_usd, input_tokens, output_tokens, cached_tokens, calls,
  runs)
select (created_at at time zone 'UTC')::date, project_id, principal, '', sum(cost_usd::numeric), sum(input_tokens),
  sum(output_tokens), sum(cached_tokens), sum(model_calls), count(*) filter (where admitted_at is not null)
from runs group by 1, 2, 3;

-- What the present periods used before there were budgets.
insert into budget_use (scope, id, per, starts, used_usd, used_tokens, runs)
select s.scope, s.id, p.per, date_trunc(p.per, now() at time zone 'UTC')::date, sum(u.cost_usd),
  sum(u.input_tokens + u.output_tokens), sum(u.runs)
from usage_ledger u
cross join lateral (values ('installation', ''), ('project', u.project_id), ('principal', u.principal)) as s (scope, id)
cross join (values ('day'), ('week'), ('month')) as p (per)
where u.day >= date_trunc(p.per, now() at time zone 'UTC')::date
group by 1, 2, 3, 4;

-- Runs in line that somebody asks something of: a cancel does not wait for its turn.
create index runs_asked on runs (queued_at) where waiting and owner_worker is null and inbox_count > 0;
-- Runs in line that were not told yet why they wait.
create index runs_untold on runs (queued_at) where waiting and owner_worker is null and queue_code is null;
