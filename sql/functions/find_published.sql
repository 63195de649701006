-- Finds the transactions with messages that a snapshot sees and the one before it did not (see
-- sequence_window, which does the same for events).
--
-- sequencer: its row, with the snapshot before
-- snapshot:  the one that is taken now
-- returns:   their ids, in no order
create or replace function tidemark.find_published(
  sequencer tidemark.sequencer,
  snapshot pg_snapshot
)
returns xid8[]
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select distinct o.transaction_id
    from tidemark.outbox as o
    where o.incarnation = (find_published.sequencer).incarnation
      and o.transaction_id >= pg_snapshot_xmax((find_published.sequencer).snapshot)
      and pg_visible_in_snapshot(o.transaction_id, find_published.snapshot)
    union all
    select r.id
    from pg_snapshot_xip((find_published.sequencer).snapshot) as r (id)
    where pg_visible_in_snapshot(r.id, find_published.snapshot)
      and exists (
        select
        from tidemark.outbox as o
        where o.incarnation = (find_published.sequencer).incarnation
          and o.transaction_id = r.id
      )
  )
$$;
