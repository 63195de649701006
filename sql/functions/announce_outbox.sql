-- Tells who listens how far the outbox is sequenced now.
--
-- channel:  where; null for silence
-- position: the outbox's last one
create or replace function tidemark.announce_outbox(channel text, "position" bigint) returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select pg_notify(announce_outbox.channel, 'outbox ' || announce_outbox.position)
  where announce_outbox.channel is not null
$$;
