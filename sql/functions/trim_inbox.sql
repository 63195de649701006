-- Forgets messages that had their effect before a time, the oldest first. They count as new when they
-- come again.
--
-- before:    the time
-- max_count: how many at most
-- returns:   how many
-- locks:     the rows; those that somebody else is deleting are left to them
create or replace function tidemark.trim_inbox(before timestamptz, max_count integer) returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  with old as (
    select i.ctid as at
    from tidemark.inbox as i
    where i.received_at < trim_inbox.before
    order by i.received_at
    limit trim_inbox.max_count
    for update skip locked
  ),
  deleted as (
    delete from tidemark.inbox as i
    using old
    where i.ctid = old.at
    returning 1
  )
  select count(*) from deleted;
$$;
