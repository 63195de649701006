-- Finds the events that match one item of a query.
--
-- item:    {types?, tags?}, see read_query
-- after:   only those that this snapshot does not see, and of this incarnation; null for all
-- returns: keys of the events
create or replace function tidemark.find_by_query_item(item jsonb, after pg_snapshot)
returns setof tidemark.event_key
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- What is new is at the end of an index; statistics may know nothing of it.
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_types constant text[] := (
    select array_agg(t.type) from jsonb_array_elements_text(item -> 'types') as t (type)
  );
  v_tags constant text[] := (
    select array_agg(t.tag) from jsonb_array_elements_text(item -> 'tags') as t (tag)
  );
  v_incarnation constant smallint := (select s.incarnation from tidemark.sequencer as s);
  -- All transactions below are seen.
  v_horizon constant xid8 := coalesce(pg_snapshot_xmin(after), '0'::xid8);
begin
  if v_tags is null then
    return query
      select e.incarnation, e.transaction_id, e.insert_id
      from tidemark.events as e
      where (e.incarnation, e.transaction_id)
          >= (case when after is null then 0 else v_incarnation end, v_horizon)
        and (v_types is null or e.type = any (v_types))
        and (after is null or not pg_visible_in_snapshot(e.transaction_id, after));
  else
    return query
      select t.incarnation, t.transaction_id, t.insert_id
      from tidemark.event_tags as t
      join tidemark.events as e
        on e.incarnation = t.incarnation
        and e.transaction_id = t.transaction_id
        and e.insert_id = t.insert_id
      where t.tag = v_tags[1]
        and (t.incarnation, t.transaction_id)
          >= (case when after is null then 0 else v_incarnation end, v_horizon)
        and (after is null or not pg_visible_in_snapshot(t.transaction_id, after))
        and e.tags @> v_tags
        and (v_types is null or e.type = any (v_types));
  end if;
end
$$;
