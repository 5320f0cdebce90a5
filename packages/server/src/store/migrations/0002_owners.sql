-- Whose the task is: the principal id that rights on "own" objects are decided by.
alter table tasks add column owner text;
update tasks set owner = coalesce(origin ->> 'by', 'unknown');
alter table tasks alter column owner set not null;
create index tasks_by_owner on tasks (owner);

-- The revision of the configuration a run was created under; null: there was none yet.
alter table runs add column config_revision int;
-- Higher goes first within its project.
alter table runs add column priority int not null default 0;
