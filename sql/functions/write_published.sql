-- Writes transactions of one window into the outbox's ledger, in the order of their last insert_id. The
-- caller holds the sequencer's row.
--
-- sequencer:       its row
-- transaction_ids: of the current incarnation, each once
-- returns:         the outbox's last position now
create or replace function tidemark.write_published(
  sequencer tidemark.sequencer,
  transaction_ids xid8[]
)
returns bigint
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with missing as (
    select o.transaction_id, count(*) as message_count, max(o.insert_id) as last_insert_id
    from tidemark.outbox as o
    where o.incarnation = (write_published.sequencer).incarnation
      and o.transaction_id = any (write_published.transaction_ids)
    group by o.transaction_id
  ),
  written as (
    insert into tidemark.outbox_commits as c (
      position, message_count, incarnation, transaction_id, lsn, committed_at
    )
    select
      (write_published.sequencer).outbox_position
        + sum(m.message_count) over (order by m.last_insert_id),
      m.message_count,
      (write_published.sequencer).incarnation,
      m.transaction_id,
      null,
      statement_timestamp()
    from missing as m
    order by m.last_insert_id
    returning c.position
  )
  select coalesce(max(w.position), (write_published.sequencer).outbox_position)
  from written as w
$$;
