-- Appends events to one stream, in one statement of the caller's transaction.
--
-- stream_id:       the stream
-- expected:        any, absent, present, or the exact version that the writer saw
-- event_ids:       one UUID per event; this and the arrays below have one length
-- types:           event types
-- schema_versions: versions of the types' schemas
-- data:            event data, as JSON text
-- metadata:        metadata, as JSON text
-- tags:            tags, each as the text of a text[], or null for none at all
-- returns:         conflict: whether the expectation failed, and then nothing was written;
--                  version: the stream's version after the call, the actual one on a conflict;
--                  incarnation and transaction_id: the transaction, for a token
-- raises:          22P02, 22P05 a value is not valid; 23505 on events_stream_id_version_key when a
--                  transaction of isolation repeatable read lost a race
-- locks:           the stream, until the end of the transaction (see stream_lock_key)
create or replace function tidemark.append_stream(
  stream_id text,
  expected text,
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] default null,
  out conflict boolean,
  out version bigint,
  out incarnation smallint,
  out transaction_id xid8
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform
    pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint),
    pg_advisory_xact_lock(tidemark.stream_lock_key(append_stream.stream_id));

  -- A statement of its own, so that its snapshot is taken after the lock was granted.
  select e.version
  into append_stream.version
  from tidemark.events as e
  where e.stream_id = append_stream.stream_id
  order by e.version desc
  limit 1;
  append_stream.version := coalesce(append_stream.version, 0);

  append_stream.conflict := not tidemark.expectation_holds(append_stream.expected, append_stream.version);
  if append_stream.conflict then
    return;
  end if;

  insert into tidemark.events as e (
    stream_id, version, event_id, type, schema_version, data, metadata, tags
  )
  select
    append_stream.stream_id,
    append_stream.version + n.ordinality,
    n.event_id,
    n.type,
    n.schema_version,
    n.data::jsonb,
    n.metadata::jsonb,
    coalesce(n.tags::text[], '{}')
  from unnest(
    append_stream.event_ids,
    append_stream.types,
    append_stream.schema_versions,
    append_stream.data,
    append_stream.metadata,
    append_stream.tags
  ) with ordinality as n (event_id, type, schema_version, data, metadata, tags, ordinality);

  append_stream.version := append_stream.version + cardinality(append_stream.event_ids);
  append_stream.transaction_id := pg_current_xact_id();
  select s.incarnation
  into append_stream.incarnation
  from tidemark.sequencer as s;
end
$$;
