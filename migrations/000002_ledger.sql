-- The commit ledger and the one row of its writer.

create table tidemark.commits (
  position bigint not null,
  event_count integer not null,
  incarnation smallint not null,
  transaction_id xid8 not null,
  lsn pg_lsn,
  committed_at timestamptz not null,
  constraint commits_pkey primary key (position),
  constraint commits_transaction_key unique (incarnation, transaction_id),
  constraint commits_event_count_check check (event_count > 0),
  constraint commits_position_check check (position >= event_count)
);

create index commits_committed_at_idx on tidemark.commits (committed_at, position);

comment on table tidemark.commits is
  'The ledger: one row per sequenced transaction, in commit order. Gives each event its position.';
comment on column tidemark.commits.position is
  'Position of the commit''s last event. The commit covers position - event_count + 1 to position.';
comment on column tidemark.commits.event_count is
  'Number of events in the transaction.';
comment on column tidemark.commits.incarnation is
  'Which cluster the transaction id belongs to.';
comment on column tidemark.commits.transaction_id is
  'The transaction. Its events are ordered by insert_id.';
comment on column tidemark.commits.lsn is
  'End of the commit record in the WAL. Null when sequenced from the table.';
comment on column tidemark.commits.committed_at is
  'When the transaction committed; when it was sequenced, if that came from the table.';

create table tidemark.sequencer (
  singleton boolean not null default true,
  position bigint not null default 0,
  lsn pg_lsn,
  slot_name text,
  publication text,
  generation bigint not null default 0,
  system_identifier bigint not null,
  incarnation smallint not null default 1,
  mode text not null default 'wal',
  low_incarnation smallint not null default 1,
  low_xid xid8 not null default '0',
  constraint sequencer_pkey primary key (singleton),
  constraint sequencer_singleton_check check (singleton),
  constraint sequencer_mode_check check (mode in ('wal', 'poll'))
) with (fillfactor = 10);

comment on table tidemark.sequencer is
  'One row: how far the ledger is written and by which slot.';
comment on column tidemark.sequencer.singleton is
  'Always true: there is one row.';
comment on column tidemark.sequencer.position is
  'Last position in the ledger.';
comment on column tidemark.sequencer.lsn is
  'Each commit of the WAL that ends here or before is in the ledger or has no events. Confirmed at most.';
comment on column tidemark.sequencer.slot_name is
  'The only replication slot that is trusted.';
comment on column tidemark.sequencer.publication is
  'Fingerprint of the publication with which the slot was made.';
comment on column tidemark.sequencer.generation is
  'Raised by each leader that begins. Writes of an older one are refused.';
comment on column tidemark.sequencer.system_identifier is
  'The cluster that the current incarnation belongs to.';
comment on column tidemark.sequencer.incarnation is
  'Incarnation of new events.';
comment on column tidemark.sequencer.mode is
  'Where commits are taken from: wal or poll.';
comment on column tidemark.sequencer.low_incarnation is
  'Incarnation of low_xid. All of the earlier ones is in the ledger.';
comment on column tidemark.sequencer.low_xid is
  'Each transaction of low_incarnation below it is finished and, if it appended, in the ledger.';

insert into tidemark.sequencer (system_identifier)
select system_identifier
from pg_control_system();

create type tidemark.log_row as (
  position bigint,
  insert_id bigint,
  stream_id text,
  version bigint,
  event_id uuid,
  type text,
  schema_version smallint,
  data jsonb,
  metadata jsonb,
  tags text[],
  recorded_at timestamptz
);

comment on type tidemark.log_row is
  'What tidemark.read_log returns: an event with its position, or the end of a run.';
