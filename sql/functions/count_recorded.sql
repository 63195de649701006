-- Counts the events of a time, no further than is asked for.
--
-- recorded_from, recorded_to: see event_matches
-- max_count:                  where to stop
-- returns:                    how many there are, at most max_count
create or replace function tidemark.count_recorded(
  recorded_from timestamptz,
  recorded_to timestamptz,
  max_count bigint
)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
-- choose_index, which calls this, turns it off. A BRIN index is of use to nothing else, and before
-- version 18 the server goes through the whole table where all ways are off.
set enable_bitmapscan = on
as $$
begin
  return (
    select count(*)
    from (
      select
      from tidemark.events as e
      where e.recorded_at >= coalesce(count_recorded.recorded_from, '-infinity')
        and e.recorded_at < coalesce(count_recorded.recorded_to, 'infinity')
      limit count_recorded.max_count
    ) as c
  );
end
$$;
