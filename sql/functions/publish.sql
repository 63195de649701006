-- Publishes one message: writes it into the outbox, in the caller's transaction. It is relayed once that has
-- committed. Made for psql, other languages and triggers.
--
--     select tidemark.publish('orders.order.placed', '{"orderId": "7"}', 'order-7');
--
-- topic:      what it is about, in words with dots between
-- data:       what others are to know, at most 1 MiB with the headers
-- key:        messages of one key are relayed in their order; null: it depends on no other
-- headers:    circumstances: an object with texts
-- message_id: its identity, by which receivers know a message that comes twice; default: a new one
-- returns:    the message's id
-- raises:     TM005 data is null, the message is too large, or a header is not a text
--             23514 the topic is not words with dots between; TM011 see guard_outbox
create or replace function tidemark.publish(
  topic text,
  data jsonb,
  key text default null,
  headers jsonb default '{}',
  message_id uuid default null
)
returns uuid
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message_id uuid := coalesce(publish.message_id, gen_random_uuid());
begin
  if publish.data is null or publish.topic is null then
    raise exception 'a message has a topic and data' using errcode = 'TM005';
  end if;
  if octet_length(publish.data::text) + octet_length(publish.headers::text) > 1048576 then
    raise exception 'message "%" has more than 1048576 bytes', publish.topic
      using errcode = 'TM005', hint = 'Keep large contents elsewhere and refer to them.';
  end if;
  if jsonb_path_exists(publish.headers, '$.* ? (@.type() != "string")') then
    raise exception 'a header of message "%" is not a text', publish.topic using errcode = 'TM005';
  end if;

  insert into tidemark.outbox (message_id, topic, key, data, headers)
  values (v_message_id, publish.topic, publish.key, publish.data, coalesce(publish.headers, '{}'));
  return v_message_id;
end
$$;
