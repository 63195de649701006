-- Notes why the leader polls and does not follow the WAL, for people who ask. Nothing else reads it.
--
-- reason: one line
-- locks:  the sequencer row, until the end of the transaction, unless it says so already
create or replace function tidemark.explain_polling(reason text) returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  update tidemark.sequencer as s
  set poll_reason = explain_polling.reason
  where s.mode = 'poll'
    and s.poll_reason is distinct from explain_polling.reason
$$;
