-- Finds the part of the log that holds all events of a time. Times are no order of the log, but
-- transaction ids of such events are known to lie in a range, and so are the commits of that range.
--
-- recorded_from, recorded_to: see event_matches
-- returns:                    position before the part, and that of its end; nulls when there is none
create or replace function tidemark.find_period(
  recorded_from timestamptz,
  recorded_to timestamptz,
  out after bigint,
  out last bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
  select min(c.position - c.event_count), max(c.position)
  into find_period.after, find_period.last
  from (
    select
      min(array[e.incarnation, e.transaction_id::text::numeric]) as first,
      max(array[e.incarnation, e.transaction_id::text::numeric]) as last
    from tidemark.events as e
    where e.recorded_at >= coalesce(find_period.recorded_from, '-infinity')
      and e.recorded_at < coalesce(find_period.recorded_to, 'infinity')
  ) as t
  join tidemark.commits as c
    on (c.incarnation, c.transaction_id) >= (t.first[1]::smallint, t.first[2]::text::xid8)
    and (c.incarnation, c.transaction_id) <= (t.last[1]::smallint, t.last[2]::text::xid8);
end
$$;
