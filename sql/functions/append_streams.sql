-- Appends events to many streams, all or none, in one statement of the caller's transaction.
--
-- stream_ids:       the streams, each once
-- expected:         per stream: any, absent, present, or the exact version that the writer saw
-- event_streams:    per event: which stream it is for, counted from 1
-- event_stream_ids: per event: the same stream's id; given, because picking the n-th of many texts
--                   walks over all before it
-- event_offsets:    per event: 1 for the first of its stream in this call, 2 for the second …
-- event_ids, types, schema_versions, data, metadata, tags: as in append_stream, for all events
-- key:              makes the whole append idempotent, as in append_stream
-- returns:          outcome: appended, conflict, replayed or key reused, as in append_stream;
--                   conflicts: per stream, whether its expectation failed; if any did, nothing was
--                   written; versions: per stream, the version after the call, the actual one on a
--                   conflict; incarnation and transaction_id: the transaction, for a token
-- raises:           as append_stream; 23505 when a stream is named twice
-- locks:            see lock_appends
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
  key text default null,
  out outcome text,
  out conflicts boolean[],
  out versions bigint[],
  out incarnation smallint,
  out transaction_id xid8
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fingerprint bytea;
  v_found record;
begin
  perform tidemark.lock_appends(
    append_streams.stream_ids, array[append_streams.key], append_streams.tags
  );

  if append_streams.key is not null then
    v_fingerprint := tidemark.append_fingerprint(
      append_streams.event_stream_ids,
      append_streams.types,
      append_streams.schema_versions,
      append_streams.data,
      append_streams.tags
    );
    select f.outcome, f.versions, f.incarnation, f.transaction_id
    into append_streams.outcome, append_streams.versions, append_streams.incarnation,
      append_streams.transaction_id
    from tidemark.find_append(append_streams.key, v_fingerprint) as f;
    if found then
      return;
    end if;
  end if;

  append_streams.versions := tidemark.stream_versions(append_streams.stream_ids);

  append_streams.conflicts := array(
    select not tidemark.expectation_holds(s.expected, s.version)
    from unnest(append_streams.expected, append_streams.versions)
      with ordinality as s (expected, version, ordinality)
    order by s.ordinality
  );
  if true = any (append_streams.conflicts) then
    append_streams.outcome := 'conflict';
    select f.versions, f.incarnation, f.transaction_id
    into v_found
    from (
      select
        array_agg(r.version order by s.ordinality) as versions,
        min(r.incarnation) as incarnation,
        min(r.transaction_id::text)::xid8 as transaction_id
      from unnest(append_streams.stream_ids, append_streams.expected)
        with ordinality as s (id, expected, ordinality)
      left join lateral tidemark.find_events(
        s.id,
        s.expected,
        (
          select array_agg(n.event_id order by n.offset_in_stream)
          from unnest(
            append_streams.event_streams, append_streams.event_offsets, append_streams.event_ids
          ) as n (stream, offset_in_stream, event_id)
          where n.stream = s.ordinality
        )
      ) as r on true
      having bool_and(r.version is not null)
        and min(r.transaction_id::text) = max(r.transaction_id::text)
    ) as f;
    if found then
      append_streams.outcome := 'replayed';
      append_streams.versions := v_found.versions;
      append_streams.incarnation := v_found.incarnation;
      append_streams.transaction_id := v_found.transaction_id;
    end if;
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

  append_streams.outcome := 'appended';
  append_streams.versions := array(
    select append_streams.versions[s.ordinality] + coalesce(n.events, 0)
    from unnest(append_streams.stream_ids) with ordinality as s (id, ordinality)
    left join (
      select n.stream, count(*) as events
      from unnest(append_streams.event_streams) as n (stream)
      group by n.stream
    ) as n on n.stream = s.ordinality
    order by s.ordinality
  );
  append_streams.transaction_id := pg_current_xact_id();
  select q.incarnation
  into append_streams.incarnation
  from tidemark.sequencer as q;

  if append_streams.key is not null then
    insert into tidemark.append_keys as k (key, fingerprint, versions, incarnation)
    values (
      append_streams.key,
      v_fingerprint,
      append_streams.versions,
      append_streams.incarnation
    );
  end if;
end
$$;
