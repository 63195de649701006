-- Publishes messages: writes them into the outbox, in the caller's transaction. They are relayed once
-- that has committed, in the order given here. Programs call this; tidemark.publish is for people.
--
-- message_ids, topics, keys, data, headers: one element per message; data and headers are JSON as text;
--          a null key: the message depends on no other; null headers: none at all
-- returns: incarnation and transaction_id: this transaction
-- raises:  23514 a topic is not words with dots between, or headers are no object; what guard_outbox does
create or replace function tidemark.publish_messages(
  message_ids uuid[],
  topics text[],
  keys text[],
  data text[],
  headers text[],
  out incarnation smallint,
  out transaction_id xid8
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into tidemark.outbox (message_id, topic, key, data, headers)
  select n.message_id, n.topic, n.key, n.data::jsonb, coalesce(n.headers::jsonb, '{}')
  from unnest(
    publish_messages.message_ids,
    publish_messages.topics,
    publish_messages.keys,
    publish_messages.data,
    publish_messages.headers
  ) with ordinality as n (message_id, topic, key, data, headers, ordinality)
  order by n.ordinality;

  publish_messages.transaction_id := pg_current_xact_id();
  select q.incarnation
  into publish_messages.incarnation
  from tidemark.sequencer as q;
end
$$;
