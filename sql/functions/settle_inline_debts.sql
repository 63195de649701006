-- Notes that this transaction has applied events to inline projections, or is about to, before it may
-- commit.
--
-- names:      the projections, one element per debt
-- insert_ids: the first insert_id of each debt
-- raises:     TM013 a debt was settled already: its events would be applied twice
create or replace function tidemark.settle_inline_debts(names text[], insert_ids bigint[])
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
      using errcode = 'TM013', hint = 'Await each append in a transaction before the next one.';
  end if;
end
$$;
