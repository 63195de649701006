-- Keeps the ledger as it is until the end of the transaction: appends go on, their events get positions
-- afterwards. For a moment in which every subscription can reach one position; use a lock_timeout.
--
-- returns: the last position
-- locks:   the sequencer's row, shared, against whoever sequences
create or replace function tidemark.hold_ledger() returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select s.position
    from tidemark.sequencer as s
    for share
  );
end
$$;
