-- Messages of others that were consumed, so that each has its effect once.

create table tidemark.inbox (
  source text collate "C" not null,
  message_id text collate "C" not null,
  received_at timestamptz not null default clock_timestamp(),
  constraint inbox_pkey primary key (source, message_id),
  constraint inbox_source_check check (octet_length(source) between 1 and 1000),
  constraint inbox_message_id_check check (octet_length(message_id) between 1 and 1000)
);

comment on table tidemark.inbox is
  'Messages of others that had their effect here. Old rows may be deleted: a message that comes again then counts as new.';
comment on column tidemark.inbox.source is
  'Where it came from, and for whom: ids are unique within it.';
comment on column tidemark.inbox.message_id is
  'What its sender calls it.';
comment on column tidemark.inbox.received_at is
  'When its effect began.';

-- For deleting old rows.
create index inbox_received_at_idx on tidemark.inbox (received_at);
