-- Takes the locks of appends, waiting for other writers. In one order, so that two appends cannot wait
-- for each other: the log, the keys, the tags, the streams, the last three in the order of the lock
-- keys. Above 256 streams and tags together the whole log instead of these, because the server's lock
-- table is small.
--
-- stream_ids: the streams
-- keys:       the keys of the appends, null for one without
-- tags:       per event: its tags as the text of a text[], or null; or null for none at all
-- locks:      as said, until the end of the transaction
create or replace function tidemark.lock_appends(stream_ids text[], keys text[], tags text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tag_keys bigint[];
  v_is_whole boolean;
begin
  if lock_appends.tags is not null then
    v_tag_keys := tidemark.tag_lock_keys(lock_appends.tags);
  end if;
  v_is_whole := cardinality(lock_appends.stream_ids) + coalesce(cardinality(v_tag_keys), 0) > 256;

  if v_is_whole then
    perform pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint);
  else
    perform pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint);
  end if;
  perform pg_advisory_xact_lock(k.lock_key)
  from (
    select distinct tidemark.append_key_lock(a.key) as lock_key
    from unnest(lock_appends.keys) as a (key)
    order by lock_key
  ) as k;
  if v_is_whole then
    return;
  end if;

  perform pg_advisory_xact_lock_shared(t.lock_key)
  from unnest(v_tag_keys) as t (lock_key);
  perform pg_advisory_xact_lock(k.lock_key)
  from (
    select distinct tidemark.stream_lock_key(s.id) as lock_key
    from unnest(lock_appends.stream_ids) as s (id)
    order by lock_key
  ) as k;
end
$$;
