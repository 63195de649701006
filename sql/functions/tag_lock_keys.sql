-- Gives the advisory locks of the tags of events.
--
-- tags:    per event: its tags as the text of a text[], or null
-- returns: keys of the locks, each once, in ascending order
create or replace function tidemark.tag_lock_keys(tags text[]) returns bigint[]
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Not in SQL: its plan would be made anew in each transaction that appends with tags.
  return array(
    select distinct tidemark.tag_lock_key(t.tag) as lock_key
    from unnest(tag_lock_keys.tags) as e (tags)
    cross join unnest(e.tags::text[]) as t (tag)
    where t.tag is not null
    order by lock_key
  );
end
$$;
