-- Refuses to commit events that were not applied to a projection which every append has to apply.
--
-- returns: null (deferred row trigger)
-- raises:  TM013 with the projection and its version, as JSON, in the detail
create or replace function tidemark.refuse_inline_debt() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_relid <> 'tidemark.inline_debts'::regclass then
    raise insufficient_privilege using message = 'refuse_inline_debt guards no table but inline_debts';
  end if;
  if exists (
    select
    from tidemark.inline_debts as d
    where d.transaction_id = new.transaction_id
      and d.first_insert_id = new.first_insert_id
      and d.name = new.name
  ) then
    raise exception 'projection "%" version % is inline, and this transaction appends events without applying it',
      new.name, new.version
      using
        errcode = 'TM013',
        detail = json_build_object('projection', new.name, 'version', new.version),
        hint = 'Give this version to the store as `inline`, or make the projection asynchronous.';
  end if;
  return null;
end
$$;
