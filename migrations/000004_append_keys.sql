-- Keys that make an append idempotent.

create table tidemark.append_keys (
  key text collate "C" not null,
  fingerprint bytea not null,
  versions bigint[] not null,
  incarnation smallint not null,
  transaction_id xid8 not null default pg_current_xact_id(),
  recorded_at timestamptz not null default clock_timestamp(),
  constraint append_keys_pkey primary key (key)
);

comment on table tidemark.append_keys is
  'Appends that were given a key, with their results. Old rows may be deleted: their keys then append anew.';
comment on column tidemark.append_keys.key is
  'What the writer calls this append, such as the id of a request.';
comment on column tidemark.append_keys.fingerprint is
  'SHA-256 of what was appended where, without ids and metadata: tells a retry from another append.';
comment on column tidemark.append_keys.versions is
  'Version after the append, of each stream in the order of the call.';
comment on column tidemark.append_keys.incarnation is
  'Which cluster the transaction id belongs to.';
comment on column tidemark.append_keys.transaction_id is
  'Transaction that appended, for the token.';
comment on column tidemark.append_keys.recorded_at is
  'Server''s clock at insert.';

-- For deleting old keys.
create index append_keys_recorded_at_idx on tidemark.append_keys (recorded_at);
