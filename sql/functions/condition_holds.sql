-- Tells whether no event matches a query that a reader has not seen, and keeps it so until the end of
-- the transaction. Events of this transaction count as seen.
--
-- query:   see read_query
-- after:   the reader's snapshot, as read_query's caller got it, <incarnation>/<pg_snapshot>; null: no
--          event may match
-- tags:    tags of the events that are to be appended, as in lock_tags
-- key:     the key of the append, or null: a retry of an append under a key is let through, because it
--          finds its own events, and is told by the key
-- returns: whether the condition holds
-- raises:  TM005 the query or the snapshot is not valid
-- locks:   the log, alone when an item has no tags; the key; one tag of each item, alone, and the tags
--          of the events, shared, in the order of the lock keys
create or replace function tidemark.condition_holds(
  query jsonb,
  after text,
  tags text[],
  key text default null
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_lock record;
  v_incarnation smallint;
  v_snapshot pg_snapshot;
  v_own constant xid8 := pg_current_xact_id();
begin
  if jsonb_typeof(query) is distinct from 'array'
    or jsonb_array_length(query) = 0
    or exists (
      select
      from jsonb_array_elements(query) as i (item)
      where jsonb_typeof(i.item) <> 'object'
        or i.item = '{}'
        or i.item - 'types' - 'tags' <> '{}'
        or coalesce(jsonb_typeof(i.item -> 'types'), 'array') <> 'array'
        or coalesce(jsonb_typeof(i.item -> 'tags'), 'array') <> 'array'
        or i.item -> 'types' = '[]'
        or i.item -> 'tags' = '[]'
        or jsonb_path_exists(i.item, 'strict $.*[*] ? (@.type() != "string")', silent => true)
    )
  then
    raise exception 'a query is an array of at least one {types, tags}, one of them or both, arrays of texts'
      using errcode = 'TM005';
  end if;
  if after !~ '^[1-9]\d{0,4}/\d{1,20}:\d{1,20}:(\d{1,20}(,\d{1,20})*)?$' then
    raise exception '"%" is not what a read of a query gave', left(after, 100)
      using errcode = 'TM005';
  end if;

  if exists (select from jsonb_array_elements(query) as i (item) where i.item -> 'tags' is null) then
    perform pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint);
  else
    perform pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint);
  end if;
  perform pg_advisory_xact_lock(tidemark.append_key_lock(condition_holds.key));
  if exists (select from tidemark.append_keys as k where k.key = condition_holds.key) then
    return true;
  end if;
  for v_lock in
    select l.key, bool_or(l.is_alone) as is_alone
    from (
      select tidemark.tag_lock_key(i.item -> 'tags' ->> 0) as key, true as is_alone
      from jsonb_array_elements(query) as i (item)
      where i.item -> 'tags' is not null
      union all
      select tidemark.tag_lock_key(t.tag), false
      from unnest(condition_holds.tags) as e (tags)
      cross join unnest(e.tags::text[]) as t (tag)
      where t.tag is not null
    ) as l
    group by l.key
    order by l.key
  loop
    if v_lock.is_alone then
      perform pg_advisory_xact_lock(v_lock.key);
    else
      perform pg_advisory_xact_lock_shared(v_lock.key);
    end if;
  end loop;

  -- Statements of their own, so that their snapshots are taken after the locks were granted.
  select s.incarnation
  into v_incarnation
  from tidemark.sequencer as s;
  if split_part(after, '/', 1)::smallint <> v_incarnation then
    -- Read before the log moved to another cluster, whose transactions the snapshot cannot know.
    return false;
  end if;
  v_snapshot := split_part(after, '/', 2)::pg_snapshot;
  return not exists (
    select
    from jsonb_array_elements(query) as i (item)
    cross join lateral tidemark.find_by_query_item(i.item, v_snapshot) as m
    where m.transaction_id <> v_own
      or m.incarnation <> v_incarnation
      or after is null
  );
end
$$;
