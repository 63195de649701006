-- Refuses to write the rows of an inline version outside of a transaction that owes it events: by hand, or
-- by what is left of an append whose transaction has ended under it. Put on its tables when it becomes
-- inline the first time.
--
-- arguments of the trigger: name and version of the projection
-- returns: null (statement trigger)
-- raises:  TM013 with the projection and its version, as JSON, in the detail
create or replace function tidemark.guard_inline_rows() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from tidemark.inline_projections as p
    where p.name = tg_argv[0]
      and p.version = tg_argv[1]::integer
  ) and not exists (
    select
    from tidemark.inline_debts as d
    where d.transaction_id = pg_current_xact_id_if_assigned()
      and d.name = tg_argv[0]
      and d.version = tg_argv[1]::integer
  ) then
    raise exception 'projection "%" version % is inline: only an append writes its rows, in its own transaction',
      tg_argv[0], tg_argv[1]
      using
        errcode = 'TM013',
        detail = json_build_object('projection', tg_argv[0], 'version', tg_argv[1]::integer),
        hint = 'Await each append before its transaction ends.';
  end if;
  return null;
end
$$;
