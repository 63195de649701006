-- Records how far the WAL was read while the log was idle, so that the slot may be confirmed for that. No
-- slot is confirmed for more than what is recorded here: one that is was made by somebody else, and lacks
-- what it was not there for.
--
-- generation: the leader's generation
-- lsn:        every commit that ends here or before is in the ledger, or has no events
-- returns:    what is recorded now; null when another leader has taken over
create or replace function tidemark.record_idle(generation bigint, lsn pg_lsn) returns pg_lsn
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update tidemark.sequencer as s
  set lsn = record_idle.lsn
  where s.generation = record_idle.generation
    and s.lsn < record_idle.lsn;

  return (
    select s.lsn
    from tidemark.sequencer as s
    where s.generation = record_idle.generation
  );
end
$$;
