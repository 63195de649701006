-- Stops a reader that found another number of events than the ledger promises. Nothing may be
-- skipped and nothing made up, so there is no way on but to find out what happened.
--
-- position: end of the run of positions in question
-- promised: events that the ledger promises for the run
-- held:     events that the table holds
-- returns:  never
-- raises:   TM006
create or replace function tidemark.raise_log_inconsistent(
  "position" bigint,
  promised bigint,
  held bigint
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the ledger promises % events up to position %, the table holds %',
    promised, raise_log_inconsistent.position, raise_log_inconsistent.held
    using
      errcode = 'TM006',
      detail = raise_log_inconsistent.position::text,
      hint = 'Rows were changed past the triggers, or this is a defect of tidemark. Do not go on.';
end
$$;
