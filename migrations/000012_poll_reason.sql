-- Lets everybody see why the ledger is written by polling.

alter table tidemark.sequencer add column poll_reason text;

comment on column tidemark.sequencer.poll_reason is
  'Mode poll: why the leader does not follow the WAL. Null in mode wal.';
