-- Continues the outbox's ledger from the table, as sequence_from_table, which calls it, does for events.
-- The caller holds the sequencer's row.
--
-- sequencer: its row
-- snapshot:  everything that it sees, and the ledger does not have, is written
-- returns:   sequenced: how many commits were written; last_position: the outbox's last one now
create or replace function tidemark.sequence_outbox_from_table(
  sequencer tidemark.sequencer,
  snapshot pg_snapshot,
  out sequenced integer,
  out last_position bigint
)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with missing as (
    select o.incarnation, o.transaction_id, count(*) as message_count, max(o.insert_id) as last_insert_id
    from tidemark.outbox as o
    where (o.incarnation, o.transaction_id) >= (
        (sequence_outbox_from_table.sequencer).low_incarnation,
        (sequence_outbox_from_table.sequencer).low_xid
      )
      and (
        o.incarnation < (sequence_outbox_from_table.sequencer).incarnation
        or pg_visible_in_snapshot(o.transaction_id, sequence_outbox_from_table.snapshot)
      )
      and not exists (
        select
        from tidemark.outbox_commits as c
        where c.incarnation = o.incarnation
          and c.transaction_id = o.transaction_id
      )
    group by o.incarnation, o.transaction_id
  ),
  written as (
    insert into tidemark.outbox_commits as c (
      position, message_count, incarnation, transaction_id, lsn, committed_at
    )
    select
      (sequence_outbox_from_table.sequencer).outbox_position
        + sum(m.message_count) over (order by m.incarnation, m.last_insert_id),
      m.message_count,
      m.incarnation,
      m.transaction_id,
      null,
      statement_timestamp()
    from missing as m
    order by m.incarnation, m.last_insert_id
    returning c.position
  )
  select
    count(*)::integer,
    coalesce(max(w.position), (sequence_outbox_from_table.sequencer).outbox_position)
  from written as w
$$;
