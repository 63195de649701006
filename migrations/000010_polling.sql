-- Lets the ledger be written without logical replication: by what one snapshot sees and the one before
-- it does not.

alter table tidemark.sequencer add column snapshot pg_snapshot;

comment on column tidemark.sequencer.snapshot is
  'What polling wrote: all that this snapshot sees is in the ledger. Null once the WAL repeats none of it.';
