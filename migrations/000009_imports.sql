-- How far imports from other systems have come, so that one that was cut off goes on from there.

create table tidemark.imports (
  key text collate "C" not null,
  event_count bigint not null default 0,
  last_fingerprint bytea,
  incarnation smallint,
  transaction_id xid8,
  changed_at timestamptz not null default clock_timestamp(),
  constraint imports_pkey primary key (key),
  constraint imports_event_count_check check (event_count >= 0)
);

comment on table tidemark.imports is
  'Imports from other systems, and how far they have come. A row may be deleted: its import then begins anew.';
comment on column tidemark.imports.key is
  'What the import is called.';
comment on column tidemark.imports.event_count is
  'Events of its source that are in the log.';
comment on column tidemark.imports.last_fingerprint is
  'SHA-256 of the last of them, without id and metadata: tells whether the source is still the same.';
comment on column tidemark.imports.incarnation is
  'Which cluster the transaction id belongs to.';
comment on column tidemark.imports.transaction_id is
  'Transaction of the last of them, for the token.';
comment on column tidemark.imports.changed_at is
  'Server''s clock when it last went on.';
