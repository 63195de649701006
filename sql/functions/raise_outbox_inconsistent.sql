-- Stops a reader that found another number of messages than the outbox's ledger promises. See
-- raise_log_inconsistent.
--
-- position: end of the run of positions in question
-- promised: messages that the ledger promises for the run
-- held:     messages that the table holds
-- returns:  never
-- raises:   TM006
create or replace function tidemark.raise_outbox_inconsistent(
  "position" bigint,
  promised bigint,
  held bigint
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the outbox''s ledger promises % messages up to position %, the table holds %',
    promised, raise_outbox_inconsistent.position, raise_outbox_inconsistent.held
    using
      errcode = 'TM006',
      detail = raise_outbox_inconsistent.position::text,
      hint = 'Rows were changed by hand, or this is a defect of tidemark. Do not go on.';
end
$$;
