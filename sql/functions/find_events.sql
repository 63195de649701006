-- Finds events that an append at an exact version would write, by their ids: a retry of an append that
-- was carried out, though its answer was lost.
--
-- stream_id: the stream
-- expected:  the version that the writer saw, or absent; with any other no retry can be told
-- event_ids: ids of the events, in order
-- returns:   no row unless exactly these events follow that version; else the version of the last
--            one, and their incarnation and transaction_id
create or replace function tidemark.find_events(
  stream_id text,
  expected text,
  event_ids uuid[],
  out version bigint,
  out incarnation smallint,
  out transaction_id xid8
) returns setof record
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select max(e.version), min(e.incarnation), min(e.transaction_id::text)::xid8
  from (
    select case find_events.expected
      when 'any' then null
      when 'present' then null
      when 'absent' then 0
      -- No stream is as long; the sum below must not overflow.
      else least(find_events.expected::bigint, 9000000000000000000)
    end as version
  ) as seen
  join tidemark.events as e
    on e.stream_id = find_events.stream_id
    and e.version > seen.version
    and e.version <= seen.version + cardinality(find_events.event_ids)
  having array_agg(e.event_id order by e.version) = find_events.event_ids
    and min(e.transaction_id::text) = max(e.transaction_id::text)
$$;
