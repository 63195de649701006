-- Notes that a run of events was imported, in the transaction that did it.
--
-- key:              the import's key
-- event_count:      how many events of its source are in the log now
-- last_fingerprint: SHA-256 of the last of them, without id and metadata
-- returns:          incarnation and transaction_id: this transaction, for a token
create or replace function tidemark.end_import(
  key text,
  event_count bigint,
  last_fingerprint bytea,
  out incarnation smallint,
  out transaction_id xid8
)
language sql
set search_path = pg_catalog, pg_temp
as $$
  update tidemark.imports as i
  set
    event_count = end_import.event_count,
    last_fingerprint = end_import.last_fingerprint,
    incarnation = q.incarnation,
    transaction_id = pg_current_xact_id(),
    changed_at = clock_timestamp()
  from tidemark.sequencer as q
  where i.key = end_import.key
  returning i.incarnation, i.transaction_id;
$$;
