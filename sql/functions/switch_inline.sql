-- Has appends apply a version of a projection from now on, in place of the version before if there is
-- one, which follows the log again; or has none applied by appends. Nothing is lost or repeated: it happens
-- while no append is under way, when each event has its position and the version has applied them all.
-- Call it again, in the same transaction, until it says so; meanwhile appends wait.
--
-- name:     the projection
-- version:  the version to apply, which is live by then; null: none
-- returns:  is_done: whether it is so now, once this transaction commits; position: how far the version
--           has come, null for none; head: how far the log is sequenced; is_sequenced: whether all of it is;
--           is_dividing: whether its number of partitions is about to change, which is waited for
-- raises:   TM014 there is no such version that is live, active and without parked events, or it is not known what
--           it reads, or its definition does not say that it can be inline; 25001 the transaction is not of isolation read committed
-- locks:    the log, alone: set a lock_timeout; then the subscription
create or replace function tidemark.switch_inline(
  name text,
  version integer,
  out is_done boolean,
  out "position" bigint,
  out head bigint,
  out is_sequenced boolean,
  out is_dividing boolean
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_types text[];
  v_can_be_inline boolean;
  v_before integer;
begin
  switch_inline.is_dividing := false;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise active_sql_transaction
      using message = 'a switch sees what was appended since it began: use read committed';
  end if;
  perform pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint);

  -- Statements of their own, so that their snapshots are taken after the lock was granted.
  select
    q.position,
    not exists (
      select
      from tidemark.events as e
      where (e.incarnation, e.transaction_id) >= (q.low_incarnation, q.low_xid)
        and not exists (
          select
          from tidemark.commits as c
          where c.incarnation = e.incarnation
            and c.transaction_id = e.transaction_id
        )
    )
  into switch_inline.head, switch_inline.is_sequenced
  from tidemark.sequencer as q;

  select i.version
  into v_before
  from tidemark.inline_projections as i
  where i.name = switch_inline.name;
  if v_before is not distinct from switch_inline.version then
    switch_inline.position := switch_inline.head;
    switch_inline.is_done := true;
    return;
  end if;

  if switch_inline.version is not null then
    select p.event_types, p.can_be_inline
    into v_types, v_can_be_inline
    from tidemark.projections as p
    where p.name = switch_inline.name
      and p.version = switch_inline.version
      and p.state = 'live';
    if v_types is null then
      raise exception 'projection "%" version % is not live, or no worker has said what it reads',
        switch_inline.name, switch_inline.version
        using errcode = 'TM014', hint = 'Run a worker that defines it.';
    end if;
    if not v_can_be_inline then
      raise exception 'projection "%" version % is not defined as one that can be inline',
        switch_inline.name, switch_inline.version
        using
          errcode = 'TM014',
          hint = 'Say `canBeInline: true` in its definition, and run a worker that has it.';
    end if;

    if exists (
      select
      from pg_trigger as t
      cross join split_part(encode(t.tgargs, 'escape'), '\000', 1) as c (category)
      where t.tgfoid = 'tidemark.capture_row'::regproc
        and not t.tgisinternal
        and v_types && array[
          c.category || '.captured',
          c.category || '.created',
          c.category || '.changed',
          c.category || '.deleted'
        ]
    ) then
      raise exception 'projection "%" reads events of a captured table', switch_inline.name
        using
          errcode = 'TM014',
          hint = 'Who changes the table cannot apply it: leave it asynchronous.';
    end if;

    select min(s.position), coalesce(bool_or(s.halt_at is not null), false)
    into switch_inline.position, switch_inline.is_dividing
    from tidemark.subscriptions as s
    where s.kind = 'projection'
      and s.name = switch_inline.name
      and s.version = switch_inline.version;

    -- After the position: whoever moved it to the head may have parked events on the way.
    if exists (
      select
      from tidemark.subscriptions as s
      where s.kind = 'projection'
        and s.name = switch_inline.name
        and s.version = switch_inline.version
        and s.state <> 'active'
    ) then
      raise exception 'projection "%" version % stands still', switch_inline.name, switch_inline.version
        using errcode = 'TM014', hint = 'See tidemark status.';
    end if;
    if exists (
      select
      from tidemark.parked_events as e
      where e.kind = 'projection'
        and e.name = switch_inline.name
        and e.version = switch_inline.version
    ) then
      raise exception 'projection "%" version % has parked events', switch_inline.name, switch_inline.version
        using errcode = 'TM014', hint = 'Retry or discard them first: tidemark parked.';
    end if;
  end if;

  switch_inline.is_done := switch_inline.is_sequenced
    and (switch_inline.version is null or switch_inline.position is not distinct from switch_inline.head);
  -- Who divides the keys anew goes by positions, which an inline version does not have.
  switch_inline.is_done := switch_inline.is_done and not switch_inline.is_dividing;
  -- Not locked before: whoever brings the version to the head moves the subscription.
  if not switch_inline.is_done then
    return;
  end if;

  update tidemark.subscriptions as s
  set
    position = switch_inline.head,
    state = 'active',
    revision = s.revision + 1,
    updated_at = clock_timestamp()
  where s.kind = 'projection'
    and s.name = switch_inline.name
    and s.version = v_before;
  update tidemark.subscriptions as s
  set
    state = 'inline',
    revision = s.revision + 1,
    updated_at = clock_timestamp()
  where s.kind = 'projection'
    and s.name = switch_inline.name
    and s.version = switch_inline.version;

  delete from tidemark.inline_projections as i
  where i.name = switch_inline.name;
  insert into tidemark.inline_projections as i (name, version, types)
  select switch_inline.name, switch_inline.version, v_types
  where switch_inline.version is not null;

  -- For transactions whose snapshot does not show the change.
  update tidemark.inline_registry as r
  set revision = r.revision + 1;
  -- For workers, who look for versions that changed.
  update tidemark.projections as p
  set changed_at = clock_timestamp()
  where p.name = switch_inline.name
    and p.version in (v_before, switch_inline.version);
end
$$;
