-- Lets the ledger be written without logical replication: by what one snapshot sees and the one before
-- it does not.

alter table tidemark.sequencer add column snapshot pg_snapshot;

comment on column tidemark.sequencer.snapshot is
  'In mode poll: all that this snapshot sees is in the ledger, and nothing else.';
