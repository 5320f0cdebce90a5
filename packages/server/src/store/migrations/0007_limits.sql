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

-- Reserving and settling are functions because their plans are then kept: as one statement with common table expressions
-- each took 1.8 ms to plan and 0.8 ms to do. They lock in one order: the counters of installation, principal and project
-- (those of the installation first, so that no two wait for each other), then the run's row, then the ledger's.

-- Null: reserved. Else why not: the budget without room; or an empty object: the run's own limits, or the call is known.
create function reserve_call(the_run text, the_call text, usd numeric, tokens bigint, the_project text,
  the_principal text, the_model text, scopes text[], ids text[], pers text[], caps_usd numeric[], caps_tokens bigint[])
returns jsonb language plpgsql set enable_seqscan = off as $$
#variable_conflict use_column
declare
  counters int;
  refusing jsonb;
begin
  perform from budget_use b join unnest(scopes, ids, pers) as w (scope, id, per) using (scope, id, per)
  order by b.scope, b.id, b.per for update of b;
  get diagnostics counters = row_count;
  if counters <> cardinality(scopes) then return jsonb_build_object('missing', true); end if;

  update budget_use b set starts = date_trunc(b.per, now() at time zone 'UTC')::date, used_usd = 0, reserved_usd = 0,
    used_tokens = 0, reserved_tokens = 0, runs = 0
  from unnest(scopes, ids, pers) as w (scope, id, per)
  where b.scope = w.scope and b.id = w.id and b.per = w.per
    and b.starts < date_trunc(b.per, now() at time zone 'UTC')::date;

  select jsonb_build_object('scope', b.scope, 'id', b.id, 'per', b.per,
    'amount', case when b.used_usd + b.reserved_usd + reserve_call.usd > w.cap_usd then 'costUsd' else 'tokens' end,
    'cap', case when b.used_usd + b.reserved_usd + reserve_call.usd > w.cap_usd then w.cap_usd else w.cap_tokens end,
    'until', to_char(b.starts + ('1 ' || b.per)::interval, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
  into refusing
  from budget_use b
  join unnest(scopes, ids, pers, caps_usd, caps_tokens) as w (scope, id, per, cap_usd, cap_tokens) using (scope, id, per)
  where b.used_usd + b.reserved_usd + reserve_call.usd > w.cap_usd
    or b.used_tokens + b.reserved_tokens + reserve_call.tokens > w.cap_tokens
  order by b.starts + ('1 ' || b.per)::interval desc limit 1;
  if refusing is not null then return refusing; end if;

  update run_budgets set reserved_usd = reserved_usd + reserve_call.usd,
    reserved_tokens = reserved_tokens + reserve_call.tokens, reserved_steps = reserved_steps + 1
  where run_id = the_run
    and used_usd + reserved_usd + reserve_call.usd <= cap_usd
    and used_tokens + reserved_tokens + reserve_call.tokens <= cap_tokens
    and used_steps + reserved_steps + 1 <= cap_steps
    and not exists (select from reservations where run_id = the_run and call_id = the_call);
  if not found then return '{}'; end if;

  insert into reservations (run_id, call_id, usd, tokens, reserved_at, project_id, principal, model)
  values (the_run, the_call, reserve_call.usd, reserve_call.tokens, now(), the_project, the_principal, the_model);
  update budget_use b set reserved_usd = b.reserved_usd + reserve_call.usd,
    reserved_tokens = b.reserved_tokens + reserve_call.tokens
  from unnest(scopes, ids, pers) as w (scope, id, per)
  where b.scope = w.scope and b.id = w.id and b.per = w.per;
  return null;
end $$;

-- Ends an open reservation; nothing for one that is settled or unknown. `usd` null: at what was reserved.
-- `answered`: its answer is in the log.
create function settle_call(the_run text, the_call text, usd numeric, tokens bigint, answered boolean, the_model text,
  tokens_in bigint, tokens_out bigint, tokens_cached bigint)
returns void language plpgsql set enable_seqscan = off as $$
#variable_conflict use_column
declare
  held reservations;
  scopes text[] := array['installation', 'principal', 'project'];
  ids text[];
  cost numeric;
  count bigint;
begin
  select * into held from reservations where run_id = the_run and call_id = the_call and settled_at is null;
  if not found then return; end if;
  ids := array['', held.principal, held.project_id];
  cost := coalesce(settle_call.usd, held.usd);
  count := coalesce(settle_call.tokens, held.tokens);

  perform from budget_use b join unnest(scopes, ids) as w (scope, id) using (scope, id)
  where held.project_id is not null
  order by b.scope, b.id, b.per for update of b;

  update reservations set settled_at = clock_timestamp(), settled_usd = cost, settled_tokens = count
  where run_id = the_run and call_id = the_call and settled_at is null;
  if not found then return; end if;
  update run_budgets set reserved_usd = reserved_usd - held.usd, reserved_tokens = reserved_tokens - held.tokens,
    reserved_steps = reserved_steps - 1, used_usd = used_usd + cost, used_tokens = used_tokens + count,
    used_steps = used_steps + 1
  where run_id = the_run;
  if held.project_id is null then return; end if;

  -- A period that has turned since the call began no longer holds its reservation.
  update budget_use b set reserved_usd = b.reserved_usd - held.usd, reserved_tokens = b.reserved_tokens - held.tokens,
    used_usd = b.used_usd + cost, used_tokens = b.used_tokens + count
  from unnest(scopes, ids) as w (scope, id)
  where b.scope = w.scope and b.id = w.id
    and b.starts = date_trunc(b.per, held.reserved_at at time zone 'UTC')::date;

  if not answered and cost = 0 and count = 0 then return; end if;
  insert into usage_ledger as l (day, project_id, principal, model, cost_usd, input_tokens, output_tokens,
    cached_tokens, calls, lost_usd, lost_tokens)
  values ((held.reserved_at at time zone 'UTC')::date, held.project_id, held.principal,
    coalesce(the_model, held.model, 'unknown'), case when answered then cost else 0 end, tokens_in, tokens_out,
    tokens_cached, answered::int, case when answered then 0 else cost end, case when answered then 0 else count end)
  on conflict (day, project_id, principal, model) do update set
    cost_usd = l.cost_usd + excluded.cost_usd, input_tokens = l.input_tokens + excluded.input_tokens,
    output_tokens = l.output_tokens + excluded.output_tokens,
    cached_tokens = l.cached_tokens + excluded.cached_tokens, calls = l.calls + excluded.calls,
    lost_usd = l.lost_usd + excluded.lost_usd, lost_tokens = l.lost_tokens + excluded.lost_tokens;
end $$;
