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
-- key:             makes the append idempotent: of all appends with one key, one is carried out
-- patient:         whether to wait for another writer of the stream, or of the key
-- returns:         outcome: appended;
--                    conflict: the stream is not as expected, nothing was written;
--                    replayed: done before, under the same key or with the same event ids at the
--                      same version, nothing was written;
--                    key reused: the key belongs to another append, nothing was written;
--                    busy: not patient, and another writer is at it, nothing was written;
--                  version: the stream's version after the call; the actual one on a conflict; that
--                  after the first append on a replay; null when busy or the key was reused;
--                  incarnation and transaction_id: the transaction that appended, for a token
-- raises:          22P02, 22P05 a value is not valid; 23505 on events_stream_id_version_key when a
--                  transaction of isolation repeatable read lost a race
-- locks:           see lock_appends
create or replace function tidemark.append_stream(
  stream_id text,
  expected text,
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] default null,
  key text default null,
  patient boolean default true,
  out outcome text,
  out version bigint,
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
  if append_stream.patient and append_stream.tags is not null then
    perform tidemark.lock_appends(
      array[append_stream.stream_id], array[append_stream.key], append_stream.tags
    );
  elsif append_stream.patient then
    -- As lock_appends does, which is slower by a tenth of an append.
    perform
      pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint),
      pg_advisory_xact_lock(tidemark.append_key_lock(append_stream.key)),
      pg_advisory_xact_lock(tidemark.stream_lock_key(append_stream.stream_id));
  elsif not (
    pg_try_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint)
    and coalesce(pg_try_advisory_xact_lock(tidemark.append_key_lock(append_stream.key)), true)
    and (append_stream.tags is null or tidemark.try_lock_tags(append_stream.tags))
    and pg_try_advisory_xact_lock(tidemark.stream_lock_key(append_stream.stream_id))
  ) then
    append_stream.outcome := 'busy';
    return;
  end if;

  if append_stream.key is not null then
    v_fingerprint := tidemark.append_fingerprint(
      array_fill(append_stream.stream_id, array[cardinality(append_stream.types)]),
      append_stream.types,
      append_stream.schema_versions,
      append_stream.data,
      append_stream.tags
    );
    select f.outcome, f.versions[1], f.incarnation, f.transaction_id
    into append_stream.outcome, append_stream.version, append_stream.incarnation,
      append_stream.transaction_id
    from tidemark.find_append(append_stream.key, v_fingerprint) as f;
    if found then
      return;
    end if;
  end if;

  -- A statement of its own, so that its snapshot is taken after the lock was granted. The incarnation
  -- with it: a new one begins only when nobody has read the log and not ended.
  select
    coalesce(
      (
        select e.version
        from tidemark.events as e
        where e.stream_id = append_stream.stream_id
        order by e.version desc
        limit 1
      ),
      0
    ),
    q.incarnation
  into append_stream.version, append_stream.incarnation
  from tidemark.sequencer as q;

  if not tidemark.expectation_holds(append_stream.expected, append_stream.version) then
    append_stream.outcome := 'conflict';
    select f.version, f.incarnation, f.transaction_id
    into v_found
    from tidemark.find_events(
      append_stream.stream_id, append_stream.expected, append_stream.event_ids
    ) as f;
    if found then
      append_stream.outcome := 'replayed';
      append_stream.version := v_found.version;
      append_stream.incarnation := v_found.incarnation;
      append_stream.transaction_id := v_found.transaction_id;
    end if;
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

  append_stream.outcome := 'appended';
  append_stream.version := append_stream.version + cardinality(append_stream.event_ids);
  append_stream.transaction_id := pg_current_xact_id();

  if append_stream.key is not null then
    insert into tidemark.append_keys as k (key, fingerprint, versions, incarnation)
    values (
      append_stream.key,
      v_fingerprint,
      array[append_stream.version],
      append_stream.incarnation
    );
  end if;
end
$$;
