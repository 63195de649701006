-- Finds an event by its id. Of two with one id, which nothing forbids, the one inserted first.
--
-- Reads the ranges of the table that ids of this time lie in; for ids that do not begin with the
-- time it may read all of it.
--
-- event_id: the id
-- returns:  one row, or none
create or replace function tidemark.find_event(event_id uuid)
returns setof tidemark.events
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
  return query
  select e.*
  from tidemark.events as e
  where e.event_id = find_event.event_id
  order by e.insert_id
  limit 1;
end
$$;
