-- Finds the events that match by the one condition that an index is for, in no order, sequenced or not.
--
-- index_name: what choose_index returned for max_entries
-- types, category, tags, correlation_id, recorded_from, recorded_to: see event_matches
-- returns:    the primary keys of the events
create or replace function tidemark.find_by_index(
  index_name text,
  max_entries integer,
  types text[],
  category text,
  tags text[],
  correlation_id text,
  recorded_from timestamptz,
  recorded_to timestamptz
)
returns setof tidemark.event_key
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_tag text;
begin
  case find_by_index.index_name
    when 'correlation' then
      return query
      select e.incarnation, e.transaction_id, e.insert_id
      from tidemark.events as e
      where e.metadata ->> 'correlationId' = find_by_index.correlation_id
        and octet_length(e.metadata ->> 'correlationId') <= 500
        and tidemark.event_matches(
          e.type, e.stream_id, e.metadata, e.tags, e.recorded_at,
          find_by_index.types, find_by_index.category, find_by_index.tags,
          find_by_index.correlation_id, find_by_index.recorded_from, find_by_index.recorded_to
        );
    when 'tag' then
      v_tag := tidemark.choose_tag(find_by_index.tags, find_by_index.max_entries);
      return query
      select e.incarnation, e.transaction_id, e.insert_id
      from tidemark.event_tags as t
      cross join lateral (
        select events.*
        from tidemark.events
        where events.incarnation = t.incarnation
          and events.transaction_id = t.transaction_id
          and events.insert_id = t.insert_id
        offset 0
      ) as e
      where t.tag = v_tag
        and tidemark.event_matches(
          e.type, e.stream_id, e.metadata, e.tags, e.recorded_at,
          find_by_index.types, find_by_index.category, find_by_index.tags,
          find_by_index.correlation_id, find_by_index.recorded_from, find_by_index.recorded_to
        );
    when 'category' then
      return query
      select e.incarnation, e.transaction_id, e.insert_id
      from tidemark.events as e
      where e.stream_id >= find_by_index.category || '-'
        and e.stream_id < find_by_index.category || '.'
        and tidemark.event_matches(
          e.type, e.stream_id, e.metadata, e.tags, e.recorded_at,
          find_by_index.types, find_by_index.category, find_by_index.tags,
          find_by_index.correlation_id, find_by_index.recorded_from, find_by_index.recorded_to
        );
    when 'type' then
      return query
      select e.incarnation, e.transaction_id, e.insert_id
      from tidemark.events as e
      where e.type = any (find_by_index.types)
        and tidemark.event_matches(
          e.type, e.stream_id, e.metadata, e.tags, e.recorded_at,
          find_by_index.types, find_by_index.category, find_by_index.tags,
          find_by_index.correlation_id, find_by_index.recorded_from, find_by_index.recorded_to
        );
    when 'time' then
      return query
      select e.incarnation, e.transaction_id, e.insert_id
      from tidemark.events as e
      where e.recorded_at >= coalesce(find_by_index.recorded_from, '-infinity')
        and e.recorded_at < coalesce(find_by_index.recorded_to, 'infinity')
        and tidemark.event_matches(
          e.type, e.stream_id, e.metadata, e.tags, e.recorded_at,
          find_by_index.types, find_by_index.category, find_by_index.tags,
          find_by_index.correlation_id, find_by_index.recorded_from, find_by_index.recorded_to
        );
  end case;
end
$$;
