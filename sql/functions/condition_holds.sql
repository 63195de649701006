-- Tells whether no event matches a query that a reader has not seen, and keeps it so until the end of
-- the transaction. Events of this transaction count as seen.
--
-- query:   see read_query
-- after:   the reader's snapshot, as read_query's caller got it from query_token; null: no event may match
-- tags:    tags of the events that are to be appended, as in lock_appends
-- key:     the key of the append, or null: a retry of an append under a key is let through, because it
--          finds its own events, and is told by the key
-- streams: how many streams the append concerns
-- returns: whether the condition holds
-- raises:  TM005 the query or the snapshot is not valid, or the transaction is of isolation repeatable
--          read or higher: its own snapshot would hide what was appended since
-- locks:   the log; the key; one tag of each item, alone, and the tags of the events, shared, in the
--          order of the lock keys. The log alone when an item has no tags, and, because the server's
--          lock table is small, instead of more than 256 locks of tags and streams
create or replace function tidemark.condition_holds(
  query jsonb,
  after text,
  tags text[],
  key text default null,
  streams integer default 1
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_alone bigint[];
  v_shared bigint[];
  v_is_whole boolean;
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
  if after !~ '^[1-9][0-9]{0,4}([.][0-9]{1,20})?/[0-9]{1,20}:[0-9]{1,20}:([0-9]{1,20}(,[0-9]{1,20})*)?$' then
    raise exception '"%" is not what a read of a query gave', left(after, 100)
      using errcode = 'TM005';
  end if;

  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'a condition cannot be checked in a transaction of isolation %',
      current_setting('transaction_isolation')
      using
        errcode = 'TM005',
        hint = 'Its snapshot hides what was appended since it began: use read committed.';
  end if;

  v_alone := array(
    select distinct tidemark.tag_lock_key(i.item -> 'tags' ->> 0)
    from jsonb_array_elements(query) as i (item)
    where i.item -> 'tags' is not null
  );
  v_shared := tidemark.tag_lock_keys(condition_holds.tags);
  v_is_whole := cardinality(v_alone) + cardinality(v_shared) + condition_holds.streams > 256;
  if v_is_whole
    or exists (select from jsonb_array_elements(query) as i (item) where i.item -> 'tags' is null)
  then
    perform pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint);
  else
    perform pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint);
  end if;
  perform pg_advisory_xact_lock(tidemark.append_key_lock(condition_holds.key));
  if exists (select from tidemark.append_keys as k where k.key = condition_holds.key) then
    return true;
  end if;
  if not v_is_whole then
    perform case
      when k.lock_key = any (v_alone) then pg_advisory_xact_lock(k.lock_key)
      else pg_advisory_xact_lock_shared(k.lock_key)
    end
    from (
      select distinct u.lock_key
      from unnest(v_alone || v_shared) as u (lock_key)
      order by u.lock_key
    ) as k;
  end if;

  -- Statements of their own, so that their snapshots are taken after the locks were granted.
  select s.incarnation
  into v_incarnation
  from tidemark.sequencer as s;
  if split_part(after, '/', 1) <> split_part(tidemark.query_token(), '/', 1) then
    -- Read before the log moved to another cluster, whose transactions the snapshot cannot know; or before
    -- a failover, which may have lost some that it does know.
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
