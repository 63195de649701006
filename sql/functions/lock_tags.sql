-- Takes the locks of the tags of events that are to be appended. In the order of the lock keys, so
-- that two appends cannot wait for each other.
--
-- tags:    per event: its tags as the text of a text[], or null
-- patient: whether to wait for who appends under a condition on one of them
-- returns: whether all are held; some may be when not
-- locks:   the tags, shared
create or replace function tidemark.lock_tags(tags text[], patient boolean) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key bigint;
begin
  for v_key in
    select distinct tidemark.tag_lock_key(t.tag) as key
    from unnest(lock_tags.tags) as e (tags)
    cross join unnest(e.tags::text[]) as t (tag)
    where t.tag is not null
    order by key
  loop
    if lock_tags.patient then
      perform pg_advisory_xact_lock_shared(v_key);
    elsif not pg_try_advisory_xact_lock_shared(v_key) then
      return false;
    end if;
  end loop;
  return true;
end
$$;
