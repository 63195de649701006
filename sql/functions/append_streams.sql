-- Appends events to many streams, all or none, in one statement of the caller's transaction.
--
-- stream_ids:       the streams, each once
-- expected:         per stream: any, absent, present, or the exact version that the writer saw
-- event_streams:    per event: which stream it is for, counted from 1
-- event_stream_ids: per event: the same stream's id; given, because picking the n-th of many texts
--                   walks over all before it
-- event_offsets:    per event: 1 for the first of its stream in this call, 2 for the second …
-- event_ids, types, schema_versions, data, metadata, tags: as in append_stream, for all events
-- returns:          conflicts: per stream, whether its expectation failed; if any did, nothing was
--                   written; versions: per stream, the version before the call;
--                   incarnation and transaction_id: the transaction, for a token
-- raises:           as append_stream; 23505 when a stream is named twice
-- locks:            each stream until the end of the transaction, in the order of the lock keys, so
--                   that two calls cannot wait for each other; above 256 streams the whole log
--                   instead, because the server's lock table is small
create or replace function tidemark.append_streams(
  stream_ids text[],
  expected text[],
  event_streams integer[],
  event_stream_ids text[],
  event_offsets integer[],
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] default null,
  out conflicts boolean[],
  out versions bigint[],
  out incarnation smallint,
  out transaction_id xid8
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if cardinality(append_streams.stream_ids) > 256 then
    perform pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint);
  else
    perform pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint);
    perform pg_advisory_xact_lock(k.key)
    from (
      select distinct tidemark.stream_lock_key(s.id) as key
      from unnest(append_streams.stream_ids) as s (id)
      order by key
    ) as k;
  end if;

  -- A statement of its own, so that its snapshot is taken after the locks were granted.
  append_streams.versions := array(
    select coalesce(
      (
        select e.version
        from tidemark.events as e
        where e.stream_id = s.id
        order by e.version desc
        limit 1
      ),
      0
    )
    from unnest(append_streams.stream_ids) with ordinality as s (id, ordinality)
    order by s.ordinality
  );

  append_streams.conflicts := array(
    select not tidemark.expectation_holds(s.expected, s.version)
    from unnest(append_streams.expected, append_streams.versions)
      with ordinality as s (expected, version, ordinality)
    order by s.ordinality
  );
  if true = any (append_streams.conflicts) then
    return;
  end if;

  insert into tidemark.events as e (
    stream_id, version, event_id, type, schema_version, data, metadata, tags
  )
  select
    n.stream_id,
    append_streams.versions[n.stream] + n.offset_in_stream,
    n.event_id,
    n.type,
    n.schema_version,
    n.data::jsonb,
    n.metadata::jsonb,
    coalesce(n.tags::text[], '{}')
  from unnest(
    append_streams.event_streams,
    append_streams.event_stream_ids,
    append_streams.event_offsets,
    append_streams.event_ids,
    append_streams.types,
    append_streams.schema_versions,
    append_streams.data,
    append_streams.metadata,
    append_streams.tags
  ) as n (
    stream, stream_id, offset_in_stream, event_id, type, schema_version, data, metadata, tags
  );

  append_streams.transaction_id := pg_current_xact_id();
  select q.incarnation
  into append_streams.incarnation
  from tidemark.sequencer as q;
end
$$;
