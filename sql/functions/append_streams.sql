-- Appends events to many streams, all or none, in one statement of the caller's transaction.
--
-- stream_ids:      the streams, each once
-- expected:        per stream: any, absent, present, or the exact version that the writer saw
-- event_counts:    per stream: how many of the events below are its own; they follow in this order
-- event_ids, types, schema_versions, data, metadata, tags: as in append_stream, for all events
-- returns:         one row per stream, in the given order. If conflict is true in any row, nothing
--                  was written and version is the actual one; otherwise it is the one after
-- raises:          as append_stream; 23505 when a stream is named twice
-- locks:           each stream until the end of the transaction, in the order of the lock keys, so
--                  that two calls cannot wait for each other; above 256 streams the whole log
--                  instead, because the server's lock table is small
create or replace function tidemark.append_streams(
  stream_ids text[],
  expected text[],
  event_counts integer[],
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] default null
)
returns table (
  stream_id text,
  conflict boolean,
  version bigint,
  incarnation smallint,
  transaction_id xid8
)
language plpgsql
set search_path = ''
as $$
declare
  v_versions bigint[];
  v_conflicts boolean[];
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
  select
    array_agg(a.version order by a.ordinality),
    array_agg(not tidemark.expectation_holds(a.expected, a.version) order by a.ordinality)
  into v_versions, v_conflicts
  from (
    select
      s.ordinality,
      s.expected,
      coalesce(
        (
          select e.version
          from tidemark.events as e
          where e.stream_id = s.id
          order by e.version desc
          limit 1
        ),
        0
      ) as version
    from unnest(append_streams.stream_ids, append_streams.expected)
      with ordinality as s (id, expected, ordinality)
  ) as a;

  if true = any (v_conflicts) then
    return query
    select s.id, s.conflict, s.version, null::smallint, null::xid8
    from unnest(append_streams.stream_ids, v_conflicts, v_versions) as s (id, conflict, version);
    return;
  end if;

  insert into tidemark.events as e (
    stream_id, version, event_id, type, schema_version, data, metadata, tags
  )
  select
    s.id,
    s.version,
    n.event_id,
    n.type,
    n.schema_version,
    n.data::jsonb,
    n.metadata::jsonb,
    coalesce(n.tags::text[], '{}')
  from (
    select u.id, u.version + g.n as version, row_number() over (order by u.ordinality, g.n) as ordinality
    from unnest(append_streams.stream_ids, v_versions, append_streams.event_counts)
      with ordinality as u (id, version, event_count, ordinality)
    cross join lateral generate_series(1, u.event_count) as g (n)
  ) as s
  join unnest(
    append_streams.event_ids,
    append_streams.types,
    append_streams.schema_versions,
    append_streams.data,
    append_streams.metadata,
    append_streams.tags
  ) with ordinality as n (event_id, type, schema_version, data, metadata, tags, ordinality)
    using (ordinality)
  order by ordinality;

  return query
  select s.id, false, s.version + s.event_count, q.incarnation, pg_current_xact_id()
  from unnest(append_streams.stream_ids, v_versions, append_streams.event_counts)
    as s (id, version, event_count)
  cross join tidemark.sequencer as q;
end
$$;
