-- A run that met no room (the cluster's quota, no node for its sandbox) waits in line until then, with that reason, and is
-- tried again; the wait grows with how often that was in a row.
alter table runs add column held_until timestamptz;
alter table runs add column held_code text;
alter table runs add column held_reason text;
alter table runs add column held_times integer not null default 0;
