-- Has those who apply events inline to the same rows take turns, until the end of their transactions: so
-- that events are applied to a row in the order in which they are committed, and what is read next is
-- what the one before has left, be it that there is no such row.
--
-- Above 256 keys the versions as a whole, because the server's lock table is small.
--
-- versions: the versions that are written, by the schemas of their tables
-- keys:     what is written of them, each with its version and its part; null for all of it
-- returns:  the last insert_id that anybody had drawn when the turns were taken: what is inserted in these
--           turns has later ones
-- locks:    the versions, shared or, in place of their keys, alone; then the keys; in the order of the
--           lock keys, so that two appends cannot wait for each other
create or replace function tidemark.lock_inline_keys(
  versions text[],
  keys text[],
  out drawn_before bigint
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_seed constant bigint := 'tidemark.inline_projections'::regclass::oid::bigint;
begin
  if keys is null or cardinality(keys) > 256 then
    perform pg_advisory_xact_lock(k.lock_key)
    from (
      select distinct hashtextextended(v.version, v_seed) as lock_key
      from unnest(versions) as v (version)
      order by lock_key
    ) as k;
  else
    perform pg_advisory_xact_lock_shared(k.lock_key)
    from (
      select distinct hashtextextended(v.version, v_seed) as lock_key
      from unnest(versions) as v (version)
      order by lock_key
    ) as k;
    perform pg_advisory_xact_lock(k.lock_key)
    from (
      select distinct hashtextextended(u.key, v_seed) as lock_key
      from unnest(keys) as u (key)
      order by lock_key
    ) as k;
  end if;

  lock_inline_keys.drawn_before := (
    select case when i.is_called then i.last_value else 0 end
    from tidemark.events_insert_id_seq as i
  );
end
$$;
