-- Chooses, of the tags that events are all to have, the one that the fewest have.
--
-- tags:        the tags
-- max_entries: events of a tag that are counted at most
-- returns:     the tag; null when more events than that have each of them, or there is none
create or replace function tidemark.choose_tag(tags text[], max_entries integer) returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
  return (
    select t.tag
    from unnest(choose_tag.tags) as t (tag)
    cross join lateral (
      select count(*) as entries
      from (
        select
        from tidemark.event_tags
        where event_tags.tag = t.tag
        limit choose_tag.max_entries::bigint + 1
      ) as e
    ) as c
    where c.entries <= choose_tag.max_entries
    order by c.entries, t.tag
    limit 1
  );
end
$$;
