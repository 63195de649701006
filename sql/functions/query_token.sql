-- Says what this statement sees, for the condition of an append.
--
-- returns: <incarnation>.<run of the server>/<pg_snapshot>. Whoever is outside of this transaction takes
--          none of its events for seen: those which it writes from now on are not, and the snapshot cannot
--          tell them apart. Another run may have lost what this statement sees, and give its transaction
--          ids to others.
create or replace function tidemark.query_token() returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select q.incarnation || '.' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint || '/' || case
    -- The server leaves its own transaction out of the list of those that are under way.
    when o.id < pg_snapshot_xmax(o.snapshot) then
      pg_snapshot_xmin(o.snapshot) || ':' || pg_snapshot_xmax(o.snapshot) || ':' || (
        select string_agg(r.id::text, ',' order by r.id)
        from (
          select o.id
          union
          select pg_snapshot_xip(o.snapshot)
        ) as r (id)
      )
    else o.snapshot::text
  end
  from tidemark.sequencer as q
  cross join (
    select pg_current_xact_id_if_assigned() as id, pg_current_snapshot() as snapshot
  ) as o
$$;
