-- Checks what one statement inserted into the outbox, whichever way it came in: rows carry the ids of this
-- transaction, in the order of their insert.
--
-- returns: null (statement trigger)
-- raises:  42501 it was put on another table
--          TM011 the log was restored or copied here, and no incarnation has begun since
--          TM003 an id is not this transaction's
create or replace function tidemark.guard_outbox() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_all record;
begin
  if tg_relid <> 'tidemark.outbox'::regclass then
    raise insufficient_privilege using message = 'guard_outbox guards no table but the outbox';
  end if;

  select
    bool_or(r.insert_id not between 1 and (
      select i.last_value
      from tidemark.outbox_insert_id_seq as i
    )) as has_forged_ids,
    bool_or(r.transaction_id <> pg_current_xact_id() or r.incarnation <> (
      select q.incarnation
      from tidemark.sequencer as q
    )) as is_foreign,
    exists (select from tidemark.at_home) as is_at_home
  into v_all
  from inserted as r;

  -- Transaction ids of this cluster would be taken for those that the old one gave.
  if not v_all.is_at_home then
    raise exception 'the log was restored or copied to this database and has not been begun here'
      using errcode = 'TM011', hint = 'Run `tidemark migrate`, or a worker, and publish again.';
  end if;

  if v_all.is_foreign or v_all.has_forged_ids then
    raise exception 'the ids of a message are those of the transaction which publishes it'
      using errcode = 'TM003', hint = 'Publish through tidemark.publish.';
  end if;
  return null;
end
$$;
