-- Begins a new generation of the sequencer that follows a slot, made while it polled. Writes a last window
-- first. The slot's stream repeats some of what polling wrote; the snapshot of that window tells what (see
-- sequence_commits).
--
-- generation:  the generation that ends
-- slot_name:   the new slot; all that its exported snapshot sees must be visible by now
-- lsn:         the slot's consistent point: the stream begins there
-- snapshot:    pg_current_snapshot() of the calling statement
-- channel:     where to announce the new position; null for silence
-- publication: fingerprint of the publication, taken before the slot was made
-- returns:     sequenced: how many commits were written; last_position: the last one now
-- raises:      TM007 another leader has taken over: nothing was written
-- locks:       the sequencer row, until the end of the transaction
create or replace function tidemark.follow_slot(
  generation bigint,
  slot_name text,
  lsn pg_lsn,
  snapshot pg_snapshot,
  channel text default null,
  publication text default null,
  out sequenced integer,
  out last_position bigint
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  select w.sequenced, w.last_position
  into follow_slot.sequenced, follow_slot.last_position
  from tidemark.sequence_window(follow_slot.generation, follow_slot.snapshot, follow_slot.channel) as w;

  update tidemark.sequencer as s
  set
    lsn = follow_slot.lsn,
    slot_name = follow_slot.slot_name,
    publication = follow_slot.publication,
    generation = s.generation + 1,
    mode = 'wal',
    poll_reason = null
  where s.generation = follow_slot.generation
    and s.position = follow_slot.last_position;
  if not found then
    raise exception 'another sequencer has taken over from generation %', follow_slot.generation
      using errcode = 'TM007';
  end if;
end
$$;
