-- Notes that this transaction has applied events to inline projections, or is about to, before it may
-- commit.
--
-- names:        the projections, one element per debt
-- insert_ids:   the first insert_id of each debt
-- drawn_before: what lock_inline_keys gave when the turns of the rows were taken; null when no row is
--               written
-- raises:       TM013 a debt was settled already, so that its events would be applied twice; or this
--               transaction has inserted nothing in its turns: it comes after those who had their turns
--               before, and its events before theirs, in a ledger that follows insert ids
create or replace function tidemark.settle_inline_debts(
  names text[],
  insert_ids bigint[],
  drawn_before bigint default null
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settled bigint;
begin
  delete from tidemark.inline_debts as d
  using unnest(settle_inline_debts.names, settle_inline_debts.insert_ids) as s (name, insert_id)
  where d.transaction_id = pg_current_xact_id_if_assigned()
    and d.first_insert_id = s.insert_id
    and d.name = s.name;
  get diagnostics v_settled = row_count;
  if v_settled <> cardinality(settle_inline_debts.names) then
    raise exception 'events of this transaction were applied to projection "%" already',
      settle_inline_debts.names[1]
      using
        errcode = 'TM013',
        detail = json_build_object('projection', settle_inline_debts.names[1]),
        hint = 'Await each append in a transaction before the next one.';
  end if;

  if settle_inline_debts.drawn_before is not null and not exists (
    select
    from tidemark.events as e
    where e.incarnation = (select q.incarnation from tidemark.sequencer as q)
      and e.transaction_id = pg_current_xact_id_if_assigned()
      and e.insert_id > settle_inline_debts.drawn_before
  ) then
    raise exception 'events that projection "%" reads were inserted past the store, and nothing after them',
      settle_inline_debts.names[1]
      using
        errcode = 'TM013',
        detail = json_build_object('projection', settle_inline_debts.names[1]),
        hint = 'Append them through the store: others may have applied later events already.';
  end if;
end
$$;
