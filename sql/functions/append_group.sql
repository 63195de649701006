-- Carries out many appends of different writers in one statement and one commit, each with an outcome
-- of its own, as if one after the other in the order given.
--
-- stream_ids:       the streams concerned, each once
-- append_streams:   per append: which of these streams it is for, counted from 1
-- expected:         per append: any, absent, present, or the exact version that the writer saw
-- counts:           per append: how many events it has
-- keys:             per append: its key or null, as in append_stream; or null for none at all
-- patient:          whether to wait for other writers; if not, appends to their streams are busy
-- event_appends:    per event: which append it belongs to, counted from 1
-- event_stream_ids: per event: its stream's id
-- event_offsets:    per event: 1 for the first of its append, 2 for the second …
-- event_ids, types, schema_versions, data, metadata, tags: as in append_stream, for all events
-- returns:          per append, as append_stream: outcomes, versions (0 for null) and, where it was
--                   replayed, the transaction that appended; incarnation and transaction_id: this
--                   transaction, for those appended. An append whose key another one of this call
--                   has is busy, and a retry by event ids is a conflict here: do these alone.
-- raises:           as append_stream, and then nothing of the group is written
-- locks:            see lock_appends; if not patient those that are free, and at most 256 tags, the
--                   appends with further ones being busy
create or replace function tidemark.append_group(
  stream_ids text[],
  append_streams integer[],
  expected text[],
  counts integer[],
  keys text[],
  patient boolean,
  event_appends integer[],
  event_stream_ids text[],
  event_offsets integer[],
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[],
  out outcomes text[],
  out versions bigint[],
  out replayed_incarnations smallint[],
  out replayed_transaction_ids xid8[],
  out incarnation smallint,
  out transaction_id xid8
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_appends constant integer := cardinality(append_group.append_streams);
  v_locked boolean[];
  v_tagged boolean[];
  v_fingerprints bytea[];
  v_current bigint[];
  v_bases bigint[] := array_fill(-1::bigint, array[v_appends]);
  v_stream integer;
  v_found record;
begin
  append_group.versions := array_fill(0::bigint, array[v_appends]);

  if append_group.patient then
    perform tidemark.lock_appends(
      append_group.stream_ids,
      coalesce(append_group.keys, '{}'),
      append_group.tags
    );
  elsif pg_try_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint) then
    v_locked := array(
      select pg_try_advisory_xact_lock(tidemark.stream_lock_key(s.id))
      from unnest(append_group.stream_ids) with ordinality as s (id, ordinality)
      order by s.ordinality
    );
    if append_group.tags is not null then
      v_tagged := array(
        -- The server's lock table is small.
        select case
          when g.total <= 256 then tidemark.try_lock_tags(g.tags)
          else false
        end
        from (
          select
            n.append,
            array_agg(n.tags) as tags,
            sum(coalesce(sum(cardinality(n.tags::text[])), 0)) over (order by n.append) as total
          from unnest(append_group.event_appends, append_group.tags) as n (append, tags)
          group by n.append
        ) as g
        order by g.append
      );
    end if;
  else
    append_group.outcomes := array_fill('busy'::text, array[v_appends]);
    return;
  end if;

  if append_group.keys is null and v_tagged is null then
    -- Those to streams that are not locked are found below.
    append_group.outcomes := array_fill('appended'::text, array[v_appends]);
  else
    append_group.outcomes := array(
      select case
        when not v_locked[a.stream] then 'busy'
        when not v_tagged[a.ordinality] then 'busy'
        when a.key is null then 'appended'
        when row_number() over (partition by a.key order by a.ordinality) > 1 then 'busy'
        -- Granted when it was waited for above.
        when pg_try_advisory_xact_lock(tidemark.append_key_lock(a.key)) then 'appended'
        else 'busy'
      end
      from unnest(append_group.append_streams, append_group.keys)
        with ordinality as a (stream, key, ordinality)
      order by a.ordinality
    );
  end if;

  -- Statements of their own, so that their snapshots are taken after the locks were granted.
  if append_group.keys is not null then
    v_fingerprints := array(
      select
        case when a.key is not null then tidemark.append_fingerprint(
          append_group.event_stream_ids[a.first_event:a.last_event],
          append_group.types[a.first_event:a.last_event],
          append_group.schema_versions[a.first_event:a.last_event],
          append_group.data[a.first_event:a.last_event],
          append_group.tags[a.first_event:a.last_event]
        ) end
      from (
        select
          u.*,
          (sum(u.events) over w - u.events + 1)::integer as first_event,
          (sum(u.events) over w)::integer as last_event
        from unnest(append_group.keys, append_group.counts)
          with ordinality as u (key, events, ordinality)
        window w as (order by u.ordinality)
      ) as a
      order by a.ordinality
    );
    -- Whole at once: an array that begins with its second element is another to those who read it.
    append_group.replayed_incarnations := array_fill(null::smallint, array[v_appends]);
    append_group.replayed_transaction_ids := array_fill(null::xid8, array[v_appends]);
    for v_found in
      select a.ordinality, f.outcome, f.versions[1] as version, f.incarnation, f.transaction_id
      from unnest(append_group.keys, v_fingerprints, append_group.outcomes)
        with ordinality as a (key, fingerprint, outcome, ordinality)
      cross join lateral tidemark.find_append(a.key, a.fingerprint) as f
      where a.outcome = 'appended'
    loop
      append_group.outcomes[v_found.ordinality] := v_found.outcome;
      append_group.versions[v_found.ordinality] := coalesce(v_found.version, 0);
      append_group.replayed_incarnations[v_found.ordinality] := v_found.incarnation;
      append_group.replayed_transaction_ids[v_found.ordinality] := v_found.transaction_id;
    end loop;
  end if;

  v_current := tidemark.stream_versions(append_group.stream_ids);
  for v_append in 1 .. v_appends loop
    v_stream := append_group.append_streams[v_append];
    if not v_locked[v_stream] then
      append_group.outcomes[v_append] := 'busy';
    elsif append_group.outcomes[v_append] = 'appended' then
      if tidemark.expectation_holds(append_group.expected[v_append], v_current[v_stream]) then
        v_bases[v_append] := v_current[v_stream];
        v_current[v_stream] := v_current[v_stream] + append_group.counts[v_append];
      else
        append_group.outcomes[v_append] := 'conflict';
      end if;
      append_group.versions[v_append] := v_current[v_stream];
    end if;
  end loop;

  if not 'appended' = any (append_group.outcomes) then
    return;
  end if;

  insert into tidemark.events as e (
    stream_id, version, event_id, type, schema_version, data, metadata, tags
  )
  select
    n.stream_id,
    v_bases[n.append] + n.offset_in_append,
    n.event_id,
    n.type,
    n.schema_version,
    n.data::jsonb,
    n.metadata::jsonb,
    coalesce(n.tags::text[], '{}')
  from unnest(
    append_group.event_appends,
    append_group.event_stream_ids,
    append_group.event_offsets,
    append_group.event_ids,
    append_group.types,
    append_group.schema_versions,
    append_group.data,
    append_group.metadata,
    append_group.tags
  ) as n (
    append, stream_id, offset_in_append, event_id, type, schema_version, data, metadata, tags
  )
  where v_bases[n.append] >= 0;

  append_group.transaction_id := pg_current_xact_id();
  select q.incarnation
  into append_group.incarnation
  from tidemark.sequencer as q;

  if append_group.keys is not null then
    insert into tidemark.append_keys as k (key, fingerprint, versions, incarnation)
    select a.key, a.fingerprint, array[a.version], append_group.incarnation
    from unnest(
      append_group.keys, v_fingerprints, append_group.outcomes, append_group.versions
    ) as a (key, fingerprint, outcome, version)
    where a.key is not null
      and a.outcome = 'appended';
  end if;
end
$$;
