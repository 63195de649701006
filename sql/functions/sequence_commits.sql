-- Writes a run of commits into the ledger, and into the outbox's, in the order in which the WAL delivered them. Only the
-- commits that a plain snapshot sees are written, and of those only the ones before the first that
-- it does not see yet: the WAL can deliver a commit before it is visible, while a synchronous
-- standby lags, and nobody may see a position without its events. A commit that polling wrote, while
-- the slot was made, is passed over: the sequencer's snapshot sees it.
--
-- generation:      the leader's generation
-- after:           position that the leader believes to be the last
-- incarnations, transaction_ids, event_counts, lsns, committed_at: one element per commit; lsns are
--                  the ends of the commit records, ascending
-- low_xid:         new value of sequencer.low_xid, null to leave it
-- channel:         where to announce the new position; null for silence
-- publication:     the publication that the commits came through; null when they came otherwise
-- message_counts:  messages of each commit; null when none has any. A commit without events has a 0 in
--                  event_counts, one without messages in these
-- outbox_after:    position of the outbox that the leader believes to be the last; null: not compared
-- returns:         sequenced: how many commits the ledger has now; last_position: the last one now;
--                  last_outbox_position: that of the outbox
-- raises:          TM007 another leader has taken over: nothing was written
--                  TM008 the publication has changed since the slot was made: nothing was written
--                  23505 on commits_transaction_key: the commit is in the ledger already
-- locks:           the sequencer row, until the end of the transaction
create or replace function tidemark.sequence_commits(
  generation bigint,
  after bigint,
  incarnations smallint[],
  transaction_ids xid8[],
  event_counts integer[],
  lsns pg_lsn[],
  committed_at timestamptz[],
  low_xid xid8 default null,
  channel text default null,
  publication text default null,
  message_counts integer[] default null,
  outbox_after bigint default null,
  out sequenced integer,
  out last_position bigint,
  out last_outbox_position bigint
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sequencer tidemark.sequencer;
begin
  select s.*
  into v_sequencer
  from tidemark.sequencer as s
  where s.generation = sequence_commits.generation
    and s.position = sequence_commits.after
    and s.outbox_position = coalesce(sequence_commits.outbox_after, s.outbox_position)
  for update;
  if not found then
    raise exception 'another sequencer has taken over from generation % at position %',
      sequence_commits.generation, sequence_commits.after
      using errcode = 'TM007';
  end if;

  -- A change that is committed before a commit of this run is seen here, whenever it was made.
  if sequence_commits.publication is not null
    and v_sequencer.publication is distinct from tidemark.publication_fingerprint(sequence_commits.publication)
  then
    raise exception 'publication "%" has changed since the slot was made', sequence_commits.publication
      using
        errcode = 'TM008',
        hint = 'The slot is given up and the ledger continued from the table.';
  end if;

  select coalesce(min(t.ordinality) - 1, cardinality(sequence_commits.transaction_ids))
  into sequence_commits.sequenced
  from unnest(sequence_commits.transaction_ids) with ordinality as t (id, ordinality)
  where not pg_visible_in_snapshot(t.id, pg_current_snapshot());

  with written as (
    insert into tidemark.commits as c (
      position, event_count, incarnation, transaction_id, lsn, committed_at
    )
    select
      sequence_commits.after + sum(t.event_count) over (order by t.ordinality),
      t.event_count,
      t.incarnation,
      t.id,
      t.lsn,
      t.committed_at
    from unnest(
      sequence_commits.incarnations,
      sequence_commits.transaction_ids,
      sequence_commits.event_counts,
      sequence_commits.lsns,
      sequence_commits.committed_at
    ) with ordinality as t (incarnation, id, event_count, lsn, committed_at, ordinality)
    where t.ordinality <= sequence_commits.sequenced
      and t.event_count > 0
      and (
        v_sequencer.snapshot is null
        or t.incarnation <> v_sequencer.incarnation
        or not pg_visible_in_snapshot(t.id, v_sequencer.snapshot)
      )
    order by t.ordinality
    returning c.position
  )
  select coalesce(max(w.position), sequence_commits.after)
  into sequence_commits.last_position
  from written as w;

  sequence_commits.last_outbox_position := v_sequencer.outbox_position;
  if sequence_commits.sequenced = 0 then
    return;
  end if;

  if sequence_commits.message_counts is not null then
    with written as (
      insert into tidemark.outbox_commits as c (
        position, message_count, incarnation, transaction_id, lsn, committed_at
      )
      select
        v_sequencer.outbox_position + sum(t.message_count) over (order by t.ordinality),
        t.message_count,
        t.incarnation,
        t.id,
        t.lsn,
        t.committed_at
      from unnest(
        sequence_commits.incarnations,
        sequence_commits.transaction_ids,
        sequence_commits.message_counts,
        sequence_commits.lsns,
        sequence_commits.committed_at
      ) with ordinality as t (incarnation, id, message_count, lsn, committed_at, ordinality)
      where t.ordinality <= sequence_commits.sequenced
        and t.message_count > 0
        and (
          v_sequencer.snapshot is null
          or t.incarnation <> v_sequencer.incarnation
          or not pg_visible_in_snapshot(t.id, v_sequencer.snapshot)
        )
      order by t.ordinality
      returning c.position
    )
    select coalesce(max(w.position), v_sequencer.outbox_position)
    into sequence_commits.last_outbox_position
    from written as w;
  end if;

  update tidemark.sequencer as s
  set
    position = sequence_commits.last_position,
    outbox_position = sequence_commits.last_outbox_position,
    lsn = sequence_commits.lsns[sequence_commits.sequenced],
    low_xid = greatest(s.low_xid, sequence_commits.low_xid),
    -- Once all that it saw is behind the stream, nothing is repeated any more.
    snapshot = case
      when sequence_commits.low_xid >= pg_snapshot_xmax(s.snapshot) then null
      else s.snapshot
    end;

  if sequence_commits.last_position > sequence_commits.after and sequence_commits.channel is not null then
    perform pg_notify(sequence_commits.channel, sequence_commits.last_position::text);
  end if;
  if sequence_commits.last_outbox_position > v_sequencer.outbox_position then
    perform tidemark.announce_outbox(sequence_commits.channel, sequence_commits.last_outbox_position);
  end if;
end
$$;
