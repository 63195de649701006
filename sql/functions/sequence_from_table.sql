-- Begins a new generation of the sequencer on a new slot, or without one by polling, and continues the
-- ledger, and the outbox's, exactly from the tables: commits that the snapshot sees and the ledger does not have are written
-- now, in the order of their last insert_id; all others follow in the slot's stream, or in the next
-- window (see sequence_window).
--
-- Insert ids of one window respect causality: who saw a commit drew a later one. So each stream's
-- versions, and whatever followed from what, keep their order.
--
-- generation: the generation that ends
-- slot_name:  the new slot; null: the sequencer polls from now on
-- snapshot:   the snapshot exported with the slot, or a plain one; everything it sees must be visible by now
-- lsn:        the slot's consistent point: the stream begins there; null without a slot
-- channel:    where to announce the new position; null for silence
-- publication: fingerprint of the publication, taken before the slot was made
-- returns:    sequenced: how many rows both ledgers have got; last_position: the last one of events now
-- raises:     TM007 another leader has taken over: nothing was written
-- locks:      the sequencer row, until the end of the transaction
create or replace function tidemark.sequence_from_table(
  generation bigint,
  slot_name text,
  snapshot pg_snapshot,
  lsn pg_lsn,
  channel text default null,
  publication text default null,
  out sequenced integer,
  out last_position bigint
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sequencer tidemark.sequencer;
  v_outbox record;
begin
  select s.*
  into v_sequencer
  from tidemark.sequencer as s
  where s.generation = sequence_from_table.generation
  for update;
  if not found then
    raise exception 'another sequencer has taken over from generation %', sequence_from_table.generation
      using errcode = 'TM007';
  end if;

  with missing as (
    select e.incarnation, e.transaction_id, count(*) as event_count, max(e.insert_id) as last_insert_id
    from tidemark.events as e
    where (e.incarnation, e.transaction_id) >= (v_sequencer.low_incarnation, v_sequencer.low_xid)
      and (
        e.incarnation < v_sequencer.incarnation
        or pg_visible_in_snapshot(e.transaction_id, sequence_from_table.snapshot)
      )
      and not exists (
        select
        from tidemark.commits as c
        where c.incarnation = e.incarnation
          and c.transaction_id = e.transaction_id
      )
    group by e.incarnation, e.transaction_id
  ),
  written as (
    insert into tidemark.commits as c (
      position, event_count, incarnation, transaction_id, lsn, committed_at
    )
    select
      v_sequencer.position + sum(m.event_count) over (order by m.incarnation, m.last_insert_id),
      m.event_count,
      m.incarnation,
      m.transaction_id,
      null,
      statement_timestamp()
    from missing as m
    order by m.incarnation, m.last_insert_id
    returning c.position
  )
  select count(*), coalesce(max(w.position), v_sequencer.position)
  into sequence_from_table.sequenced, sequence_from_table.last_position
  from written as w;

  select o.sequenced, o.last_position
  into v_outbox
  from tidemark.sequence_outbox_from_table(v_sequencer, sequence_from_table.snapshot) as o;
  sequence_from_table.sequenced := sequence_from_table.sequenced + v_outbox.sequenced;

  update tidemark.sequencer as s
  set
    position = sequence_from_table.last_position,
    outbox_position = v_outbox.last_position,
    lsn = sequence_from_table.lsn,
    slot_name = sequence_from_table.slot_name,
    publication = sequence_from_table.publication,
    generation = s.generation + 1,
    mode = case when sequence_from_table.slot_name is null then 'poll' else 'wal' end,
    poll_reason = null,
    snapshot = case when sequence_from_table.slot_name is null then sequence_from_table.snapshot end,
    low_incarnation = s.incarnation,
    low_xid = pg_snapshot_xmin(sequence_from_table.snapshot);

  if sequence_from_table.last_position > v_sequencer.position
    and sequence_from_table.channel is not null
  then
    perform pg_notify(sequence_from_table.channel, sequence_from_table.last_position::text);
  end if;
  if v_outbox.last_position > v_sequencer.outbox_position then
    perform tidemark.announce_outbox(sequence_from_table.channel, v_outbox.last_position);
  end if;
end
$$;
