-- Reads events by their keys.
--
-- Positions are counted from the event before among the given ones, so that a commit of any size is
-- gone through once, in its index.
--
-- keys:    the events
-- returns: the events in the order of the log; those that are not sequenced yet come last, by
--          insert_id, and have no position
create or replace function tidemark.read_keys(keys tidemark.event_key[])
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select
    (
      c.position - c.event_count + sum(r.events) over (
        partition by e.incarnation, e.transaction_id
        order by e.insert_id
      )
    )::bigint as position,
    e.insert_id,
    e.stream_id,
    e.version,
    e.event_id,
    e.type,
    e.schema_version,
    e.data,
    e.metadata,
    e.tags,
    e.recorded_at
  from (
    select
      u.*,
      lag(u.insert_id, 1, 0::bigint) over (
        partition by u.incarnation, u.transaction_id
        order by u.insert_id
      ) as previous_insert_id
    from unnest(read_keys.keys) as u
  ) as k
  cross join lateral (
    select events.*
    from tidemark.events
    where events.incarnation = k.incarnation
      and events.transaction_id = k.transaction_id
      and events.insert_id = k.insert_id
    offset 0
  ) as e
  left join lateral (
    select commits.*
    from tidemark.commits
    where commits.incarnation = k.incarnation
      and commits.transaction_id = k.transaction_id
    offset 0
  ) as c on true
  left join lateral (
    select count(*) as events
    from tidemark.events
    where events.incarnation = c.incarnation
      and events.transaction_id = c.transaction_id
      and events.insert_id > k.previous_insert_id
      and events.insert_id <= k.insert_id
    offset 0
  ) as r on true
  order by position, e.insert_id;
end
$$;
