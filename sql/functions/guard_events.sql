-- Checks what one statement inserted into the event log, whichever way it came in: versions follow
-- the ones before, in insert order and without a hole, and rows carry the ids of this transaction.
--
-- Looks once per stream, not once per row: versions are unique, so a stream's new rows are in order
-- and without a hole when version minus rank is the same for all and the version before exists.
--
-- Also writes the tags of the events into tidemark.event_tags, with the owner's rights, because who
-- appends need not be allowed to.
--
-- And notes for which inline projections the events have to be applied before the transaction commits.
--
-- On no other table: with columns of types of their own, whose casts are theirs too, others could run
-- what they like with the owner's rights.
--
-- returns: null (statement trigger)
-- locks:   the log and the tags, as lock_appends does
-- raises:  42501 it was put on another table
--          TM011 the log was restored or copied here, and no incarnation has begun since
--          TM002 a version leaves a hole or is out of order; TM003 an id is not this transaction's
--          TM005 an inline projection reads the events, and the transaction is of isolation repeatable
--          read or higher; 40001 it is, and inline projections have changed since its snapshot
--          TM013 an inline projection reads the events, and their ids were drawn before those of events
--          that this transaction has applied to it already
create or replace function tidemark.guard_events() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_all record;
  v_stream_id text;
  v_is_locked boolean;
  v_is_snapshot_kept boolean;
  v_late text;
begin
  if tg_relid <> 'tidemark.events'::regclass then
    raise insufficient_privilege using message = 'guard_events guards no table but the event log';
  end if;

  -- Mostly it is one row, which needs no aggregates: 38 to 22 µs of the processor, 2026-11-22.
  select
    case when exists (select from inserted offset 1) then 2 else 1 end::bigint as events,
    r.stream_id,
    r.version,
    r.insert_id,
    r.insert_id not between 1 and (
      select i.last_value
      from tidemark.events_insert_id_seq as i
    ) as has_forged_ids,
    r.transaction_id <> pg_current_xact_id() or r.incarnation <> (
      select q.incarnation
      from tidemark.sequencer as q
    ) as is_foreign,
    r.tags <> '{}' as has_tags,
    exists (select from tidemark.at_home) as is_at_home
  into v_all
  from inserted as r
  limit 1;
  if v_all.events is null then
    return null;
  end if;
  if v_all.events > 1 then
    select
      count(*) as events,
      min(r.stream_id) as stream_id,
      min(r.version) as version,
      min(r.insert_id) as insert_id,
      bool_or(r.insert_id not between 1 and (
        select i.last_value
        from tidemark.events_insert_id_seq as i
      )) as has_forged_ids,
      bool_or(r.transaction_id <> pg_current_xact_id() or r.incarnation <> (
        select q.incarnation
        from tidemark.sequencer as q
      )) as is_foreign,
      bool_or(r.tags <> '{}') as has_tags,
      exists (select from tidemark.at_home) as is_at_home
    into v_all
    from inserted as r;
  end if;

  -- Transaction ids of this cluster would be taken for those that the old one gave.
  if not v_all.is_at_home then
    raise exception 'the log was restored or copied to this database and has not been begun here'
      using errcode = 'TM011', hint = 'Run `tidemark migrate`, or a worker, and append again.';
  end if;

  if v_all.is_foreign then
    raise exception 'the transaction id of an event is that of the transaction which inserts it'
      using errcode = 'TM003', hint = 'Leave transaction_id to its default.';
  end if;

  if v_all.has_forged_ids then
    v_stream_id := v_all.stream_id;
  elsif v_all.events = 1 then
    -- The commonest case, at half the cost of the other.
    if v_all.version > 1 and (
      select e.version
      from tidemark.events as e
      where e.stream_id = v_all.stream_id
        and e.version = v_all.version - 1
        and e.insert_id < v_all.insert_id
      limit 1
    ) is null then
      v_stream_id := v_all.stream_id;
    end if;
  else
    select s.stream_id
    into v_stream_id
    from (
      select
        r.stream_id,
        min(r.version) as first_version,
        min(r.insert_id) as first_insert_id,
        min(r.version - r.rank) <> max(r.version - r.rank) as has_hole
      from (
        select
          inserted.stream_id,
          inserted.version,
          inserted.insert_id,
          row_number() over (partition by inserted.stream_id order by inserted.insert_id) as rank
        from inserted
      ) as r
      group by r.stream_id
    ) as s
    where s.has_hole
      or (
        s.first_version > 1
        -- Not "not exists": the planner may hash that, and read the whole log for it.
        and (
          select e.version
          from tidemark.events as e
          where e.stream_id = s.stream_id
            and e.version = s.first_version - 1
            and e.insert_id < s.first_insert_id
          limit 1
        ) is null
      )
    limit 1;
  end if;
  if v_stream_id is not null then
    raise exception 'versions of stream "%" would have a hole', v_stream_id
      using errcode = 'TM002', hint = 'Append through tidemark.append.';
  end if;

  -- Locks that are held already, unless the rows were inserted past the append functions: conditions
  -- have to wait for these too.
  if not v_all.has_tags then
    -- An expression, at half the cost of a statement.
    v_is_locked := pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint) is not null;
  else
    perform tidemark.lock_appends('{}', '{}', array_agg(e.tags::text))
    from inserted as e;
    insert into tidemark.event_tags as t (tag, incarnation, transaction_id, insert_id)
    select distinct u.tag, e.incarnation, e.transaction_id, e.insert_id
    from inserted as e
    cross join unnest(e.tags) as u (tag)
    where u.tag is not null;
  end if;

  -- Whoever changes what is inline holds the lock of the log alone. So these are statements of their own,
  -- whose snapshots are taken after the lock was granted; and a transaction that keeps an older snapshot
  -- fails at the row, if it has changed since.
  v_is_snapshot_kept := current_setting('transaction_isolation') in ('repeatable read', 'serializable');
  if v_is_snapshot_kept then
    perform
    from tidemark.inline_registry as r
    for share;
  end if;
  if exists (select from tidemark.inline_projections) then
    insert into tidemark.inline_debts as d (first_insert_id, last_insert_id, name, version)
    select min(e.insert_id), max(e.insert_id), p.name, p.version
    from tidemark.inline_projections as p
    join inserted as e on e.type = any (p.types)
    group by p.name, p.version;
    if found and v_is_snapshot_kept then
      raise exception 'events of an inline projection cannot be appended in a transaction of isolation %',
        current_setting('transaction_isolation')
        using
          errcode = 'TM005',
          hint = 'Its snapshot hides what others have applied since it began: use read committed.';
    end if;
    if found and v_all.events <> (
      select count(*)
      from tidemark.events as e
      where e.incarnation = (select q.incarnation from tidemark.sequencer as q)
        and e.transaction_id = pg_current_xact_id()
        and e.insert_id >= v_all.insert_id
    ) then
      -- Unless it was a trigger that inserted the others, whose debts stand.
      select p.name
      into v_late
      from tidemark.inline_projections as p
      join tidemark.events as e on e.type = any (p.types)
      where e.incarnation = (select q.incarnation from tidemark.sequencer as q)
        and e.transaction_id = pg_current_xact_id()
        and e.insert_id > v_all.insert_id
        and not exists (select from inserted as i where i.insert_id = e.insert_id)
        and not exists (
          select
          from tidemark.inline_debts as d
          where d.transaction_id = e.transaction_id
            and d.name = p.name
            and e.insert_id between d.first_insert_id and d.last_insert_id
            and not exists (select from inserted as i where i.insert_id = d.first_insert_id)
        )
      limit 1;
      if v_late is not null then
        raise exception 'an event that projection "%" reads has an insert id from before those that are applied',
          v_late
          using
            errcode = 'TM013',
            detail = json_build_object('projection', v_late),
            hint = 'Leave insert_id to its default.';
      end if;
    end if;
  end if;
  return null;
end
$$;
