-- Says at which versions streams are, as of a snapshot of its own: called after the locks of the streams
-- were granted, it sees whoever held them before.
--
-- stream_ids: the streams
-- returns:    their versions, in the same order; 0 for one without events
create or replace function tidemark.stream_versions(stream_ids text[]) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select coalesce(
      (
        select e.version
        from tidemark.events as e
        where e.stream_id = s.id
        order by e.version desc
        limit 1
      ),
      0
    )
    from unnest(stream_versions.stream_ids) with ordinality as s (id, ordinality)
    order by s.ordinality
  );
end
$$;
