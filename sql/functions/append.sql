-- Appends events to one stream. For psql and for other languages; raises where append_stream
-- returns a conflict.
--
--   select * from tidemark.append('order-1', 'absent', '[{"type": "order.placed", "data": {"cents": 4200}}]');
--
-- stream_id: the stream
-- expected:  any, absent, present, or the exact version that the writer saw, as text
-- events:    array of {type, data, schemaVersion?, id?, metadata?, tags?}, at least one
-- key:       makes the append idempotent: of all appends with one key, one is carried out, and the
--            others get its result
-- condition: {"query": […], "after": "…"}: append only if no event matches the query (see read_query)
--            but those that a reader has seen; after is that reader's tidemark.query_token(), taken in
--            the statement that read; without it no event may match
-- returns:   version: the stream's version after the call; token: names the transaction to waitFor;
--            replayed: whether it had been carried out before
-- raises:    TM004 the stream is not as expected; TM005 an argument is not valid; TM009 the key belongs
--            to an append of other events; TM010 the condition does not hold
-- locks:     the key, those of the condition (see condition_holds), then the stream, until the end of
--            the transaction
create or replace function tidemark.append(
  stream_id text,
  expected text,
  events jsonb,
  key text default null,
  condition jsonb default null,
  out version bigint,
  out token text,
  out replayed boolean
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_result record;
begin
  if coalesce(append.stream_id, '') = '' then
    raise exception 'the stream id is empty' using errcode = 'TM005';
  end if;
  if append.expected is null or append.expected !~ '^(any|absent|present|[0-9]{1,18})$' then
    raise exception 'expected is "%", not any, absent, present or a version', append.expected
      using errcode = 'TM005';
  end if;
  if jsonb_typeof(append.events) is distinct from 'array' or jsonb_array_length(append.events) = 0 then
    raise exception 'events is not an array of at least one event' using errcode = 'TM005';
  end if;

  if exists (
    select
    from jsonb_array_elements(append.events) as n (event)
    where jsonb_typeof(n.event) <> 'object'
      or coalesce(n.event ->> 'type', '') = ''
      or n.event -> 'data' is null
  ) then
    raise exception 'an event has no type or no data' using errcode = 'TM005';
  end if;

  if exists (
    select
    from jsonb_array_elements(append.events) as n (event)
    where n.event - array['type', 'data', 'schemaVersion', 'id', 'metadata', 'tags'] <> '{}'
  ) then
    raise exception 'an event has a key that is none of type, data, schemaVersion, id, metadata, tags'
      using errcode = 'TM005';
  end if;

  if exists (
    select
    from jsonb_array_elements(append.events) as n (event)
    where n.event ->> 'id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or n.event ->> 'schemaVersion' !~ '^[1-9][0-9]{0,4}$'
      or lpad(n.event ->> 'schemaVersion', 5, '0') > '32767'
      or jsonb_typeof(n.event -> 'metadata') <> 'object'
      or jsonb_typeof(n.event -> 'tags') <> 'array'
      or jsonb_path_exists(n.event, 'strict $.tags[*] ? (@.type() != "string")', silent => true)
  ) then
    raise exception 'an event has an id, schemaVersion, metadata or tags of another kind than it must'
      using errcode = 'TM005';
  end if;

  if append.condition is not null
    and not tidemark.condition_holds(
      append.condition -> 'query',
      append.condition ->> 'after',
      array(
        select array(select jsonb_array_elements_text(n.event -> 'tags'))::text
        from jsonb_array_elements(append.events) as n (event)
        where n.event -> 'tags' is not null
      ),
      append.key
    )
  then
    raise exception 'events match the condition''s query which its reader has not seen'
      using errcode = 'TM010', hint = 'Read again and decide anew.';
  end if;

  select r.*
  into v_result
  from (
    select
      array_agg(coalesce((n.event ->> 'id')::uuid, gen_random_uuid()) order by n.ordinality) as ids,
      array_agg(n.event ->> 'type' order by n.ordinality) as types,
      array_agg(coalesce((n.event ->> 'schemaVersion')::smallint, 1::smallint) order by n.ordinality)
        as schema_versions,
      array_agg((n.event -> 'data')::text order by n.ordinality) as data,
      array_agg(coalesce(n.event -> 'metadata', '{}')::text order by n.ordinality) as metadata,
      array_agg(
        (
          select array_agg(t.tag)::text
          from jsonb_array_elements_text(n.event -> 'tags') as t (tag)
        )
        order by n.ordinality
      ) as tags
    from jsonb_array_elements(append.events) with ordinality as n (event, ordinality)
  ) as a
  cross join lateral tidemark.append_stream(
    append.stream_id,
    append.expected,
    a.ids,
    a.types,
    a.schema_versions,
    a.data,
    a.metadata,
    a.tags,
    append.key
  ) as r;

  if v_result.outcome = 'key reused' then
    raise exception 'the key "%" belongs to an append of other events', append.key
      using errcode = 'TM009', hint = 'Use one key for one append.';
  elsif v_result.outcome = 'conflict' then
    raise exception 'stream "%" is at version %, expected %',
      append.stream_id, v_result.version, append.expected
      using
        errcode = 'TM004',
        detail = v_result.version::text,
        hint = 'Read the stream again and decide anew.';
  end if;
  append.version := v_result.version;
  append.replayed := v_result.outcome = 'replayed';
  append.token := v_result.incarnation || '.' || v_result.transaction_id;
end
$$;
