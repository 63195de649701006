-- Reads the events that match a query, as this statement's snapshot has them, sequenced or not.
--
-- query:   array of items {types?, tags?}: an event matches an item when its type is one of the types,
--          if given, and it has all of the tags; it matches the query when it matches an item. An
--          item without tags goes through all events of its types
-- returns: the events: sequenced ones by position, then the others in insert order
create or replace function tidemark.read_query(query jsonb)
returns table (
  "position" bigint,
  stream_id text,
  version bigint,
  event_id uuid,
  type text,
  schema_version smallint,
  data jsonb,
  metadata jsonb,
  tags text[],
  recorded_at timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with found as (
    select m.incarnation, m.transaction_id, m.insert_id
    from jsonb_array_elements(read_query.query) as i (item)
    cross join lateral tidemark.find_by_query_item(i.item, null) as m
    group by m.incarnation, m.transaction_id, m.insert_id
  )
  select
    -- Positions of a commit end at its own, in insert order.
    c.position - (
      select count(*)
      from tidemark.events as later
      where later.incarnation = e.incarnation
        and later.transaction_id = e.transaction_id
        and later.insert_id > e.insert_id
    ),
    e.stream_id, e.version, e.event_id, e.type, e.schema_version, e.data, e.metadata, e.tags,
    e.recorded_at
  from found as f
  join tidemark.events as e
    on e.incarnation = f.incarnation
    and e.transaction_id = f.transaction_id
    and e.insert_id = f.insert_id
  left join tidemark.commits as c
    on c.incarnation = e.incarnation
    and c.transaction_id = e.transaction_id
  order by c.position, e.insert_id
$$;
