-- Notes that a message of others has its effect in this transaction.
--
-- source:     where it came from, and for whom
-- message_id: what its sender calls it
-- returns:    false when it had its effect before: then there is nothing to do
-- locks:      the message, until the end of the transaction: whoever has the same one waits, and is told
--             false, or true when this transaction is rolled back
-- raises:     40001 within repeatable read, when the message had its effect after the snapshot
create or replace function tidemark.receive_message(source text, message_id text) returns boolean
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  with received as (
    insert into tidemark.inbox (source, message_id)
    values (receive_message.source, receive_message.message_id)
    on conflict on constraint inbox_pkey do nothing
    returning 1
  )
  select exists (select from received);
$$;
