-- Removes messages from the front of the outbox that every relay has passed and that are old enough, with
-- their rows of the ledger. A commit that is larger than max_messages is removed in parts, its row of the
-- ledger made smaller; no position changes.
--
-- older_than:   messages of commits in the ledger for less stay
-- max_messages: how many are removed at most
-- returns:      how many were
-- locks:        the outbox's retention, until the end of the transaction; nothing when somebody else has it
create or replace function tidemark.trim_outbox(older_than interval, max_messages integer)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_passed bigint;
  v_removed bigint := 0;
  v_commit tidemark.outbox_commits;
  v_part bigint;
begin
  if not pg_try_advisory_xact_lock('tidemark.outbox_commits'::regclass::oid::bigint) then
    return 0;
  end if;

  select coalesce(min(s.position), (select q.outbox_position from tidemark.sequencer as q))
  into v_passed
  from tidemark.subscriptions as s
  where s.kind = 'relay';

  with front as (
    delete from tidemark.outbox_commits as c
    where c.position <= (
        select max(f.position)
        from (
          select o.position, o.committed_at,
            sum(o.message_count) over (order by o.position) as messages,
            bool_and(o.committed_at < clock_timestamp() - trim_outbox.older_than)
              over (order by o.position) as is_old
          from (
            select outbox_commits.*
            from tidemark.outbox_commits
            where outbox_commits.position <= v_passed
            order by outbox_commits.position
            limit trim_outbox.max_messages
          ) as o
        ) as f
        where f.is_old
          and f.messages <= trim_outbox.max_messages
      )
    returning c.incarnation, c.transaction_id
  ),
  removed as (
    delete from tidemark.outbox as o
    using front as f
    where o.incarnation = f.incarnation
      and o.transaction_id = f.transaction_id
    returning 1
  )
  select count(*)
  into v_removed
  from removed;
  if v_removed > 0 then
    return v_removed;
  end if;

  -- The first commit alone is larger, or is passed in part.
  select c.*
  into v_commit
  from tidemark.outbox_commits as c
  order by c.position
  limit 1;
  v_part := least(
    trim_outbox.max_messages,
    v_passed - (v_commit.position - v_commit.message_count)
  );
  if v_commit is null
    or v_part <= 0
    or v_commit.committed_at >= clock_timestamp() - trim_outbox.older_than
  then
    return 0;
  end if;
  delete from tidemark.outbox as o
  where o.incarnation = v_commit.incarnation
    and o.transaction_id = v_commit.transaction_id
    and o.insert_id <= (
      select max(p.insert_id)
      from (
        select f.insert_id
        from tidemark.outbox as f
        where f.incarnation = v_commit.incarnation
          and f.transaction_id = v_commit.transaction_id
        order by f.insert_id
        limit v_part
      ) as p
    );
  if v_part = v_commit.message_count then
    delete from tidemark.outbox_commits as c
    where c.position = v_commit.position;
  else
    update tidemark.outbox_commits as c
    set message_count = c.message_count - v_part
    where c.position = v_commit.position;
  end if;
  return v_part;
end
$$;
