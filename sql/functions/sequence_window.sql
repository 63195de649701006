-- Writes into the ledger, and into the outbox's, what a snapshot sees and the one before it does not, in the order of the last
-- insert_id of each transaction (see sequence_from_table). Never waits for a long transaction, and costs
-- no more while there is one: a transaction that the snapshot before saw under way is looked up by its
-- id, all others begin at its end.
--
-- generation: the leader's generation
-- snapshot:   pg_current_snapshot() of the calling statement
-- channel:    where to announce the new position; null for silence
-- returns:    sequenced: how many rows both ledgers have got; last_position: the last one of events now
-- raises:     TM007 another leader has taken over: nothing was written
-- locks:      the sequencer row, until the end of the transaction, when there is something to write
create or replace function tidemark.sequence_window(
  generation bigint,
  snapshot pg_snapshot,
  channel text default null,
  out sequenced integer,
  out last_position bigint
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sequencer tidemark.sequencer;
  v_missing xid8[];
  v_published xid8[];
  v_outbox_position bigint;
begin
  select s.*
  into v_sequencer
  from tidemark.sequencer as s
  where s.generation = sequence_window.generation
    and s.mode = 'poll';
  if not found then
    raise exception 'another sequencer has taken over from generation %', sequence_window.generation
      using errcode = 'TM007';
  end if;

  v_missing := array(
    select distinct e.transaction_id
    from tidemark.events as e
    where e.incarnation = v_sequencer.incarnation
      and e.transaction_id >= pg_snapshot_xmax(v_sequencer.snapshot)
      and pg_visible_in_snapshot(e.transaction_id, sequence_window.snapshot)
    union all
    select r.id
    from pg_snapshot_xip(v_sequencer.snapshot) as r (id)
    where pg_visible_in_snapshot(r.id, sequence_window.snapshot)
      and exists (
        select
        from tidemark.events as e
        where e.incarnation = v_sequencer.incarnation
          and e.transaction_id = r.id
      )
  );
  v_published := tidemark.find_published(v_sequencer, sequence_window.snapshot);
  sequence_window.sequenced := cardinality(v_missing) + cardinality(v_published);
  sequence_window.last_position := v_sequencer.position;
  if sequence_window.sequenced = 0 then
    return;
  end if;

  -- Nobody but a leader of this generation moves the row, and there is one.
  perform
  from tidemark.sequencer as s
  where s.generation = sequence_window.generation
    and s.position = v_sequencer.position
  for update;
  if not found then
    raise exception 'another sequencer has taken over from generation %', sequence_window.generation
      using errcode = 'TM007';
  end if;

  with missing as (
    select e.transaction_id, count(*) as event_count, max(e.insert_id) as last_insert_id
    from tidemark.events as e
    where e.incarnation = v_sequencer.incarnation
      and e.transaction_id = any (v_missing)
    group by e.transaction_id
  ),
  written as (
    insert into tidemark.commits as c (
      position, event_count, incarnation, transaction_id, lsn, committed_at
    )
    select
      v_sequencer.position + sum(m.event_count) over (order by m.last_insert_id),
      m.event_count,
      v_sequencer.incarnation,
      m.transaction_id,
      null,
      statement_timestamp()
    from missing as m
    order by m.last_insert_id
    returning c.position
  )
  select coalesce(max(w.position), v_sequencer.position)
  into sequence_window.last_position
  from written as w;

  v_outbox_position := tidemark.write_published(v_sequencer, v_published);

  update tidemark.sequencer as s
  set
    position = sequence_window.last_position,
    outbox_position = v_outbox_position,
    snapshot = sequence_window.snapshot,
    low_xid = greatest(s.low_xid, pg_snapshot_xmin(sequence_window.snapshot));

  if sequence_window.last_position > v_sequencer.position and sequence_window.channel is not null then
    perform pg_notify(sequence_window.channel, sequence_window.last_position::text);
  end if;
  if v_outbox_position > v_sequencer.outbox_position then
    perform tidemark.announce_outbox(sequence_window.channel, v_outbox_position);
  end if;
end
$$;
