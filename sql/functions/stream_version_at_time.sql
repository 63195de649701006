-- Finds the version that a stream had at a time: that of the event before the first one which was
-- recorded later. Reads the stream up to there.
--
-- stream_id: the stream
-- at:        a time; an event counts if it was recorded within the millisecond that begins there,
--            because languages whose clocks have milliseconds read its time as that
-- returns:   the version, 0 when the stream had no event yet
create or replace function tidemark.stream_version_at_time(
  stream_id text,
  at timestamptz
) returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (
      select e.version - 1
      from tidemark.events as e
      where e.stream_id = stream_version_at_time.stream_id
        and e.recorded_at >= stream_version_at_time.at + interval '1 millisecond'
      order by e.version
      limit 1
    ),
    (
      select max(e.version)
      from tidemark.events as e
      where e.stream_id = stream_version_at_time.stream_id
    ),
    0
  );
$$;
