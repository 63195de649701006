-- The event log: append-only, in insert order. Its order for readers is the ledger's (000002).

create table tidemark.events (
  insert_id bigint generated always as identity,
  -- Raised by one when the log moves to another cluster, because transaction ids begin anew there.
  incarnation smallint not null default 1,
  transaction_id xid8 not null default pg_current_xact_id(),
  stream_id text collate "C" not null,
  version bigint not null,
  event_id uuid not null,
  type text collate "C" not null,
  schema_version smallint not null default 1,
  data jsonb not null,
  metadata jsonb not null default '{}',
  tags text[] not null default '{}',
  recorded_at timestamptz not null default clock_timestamp(),
  constraint events_pkey primary key (incarnation, transaction_id, insert_id),
  constraint events_stream_id_version_key unique (stream_id, version),
  constraint events_version_check check (version > 0)
);

comment on table tidemark.events is
  'Append-only log of events in insert order. Read it in commit order through tidemark.log.';
comment on column tidemark.events.insert_id is
  'Insert order. Internal: has gaps and becomes visible out of order. Never a checkpoint.';
comment on column tidemark.events.incarnation is
  'Which cluster the transaction id belongs to.';
comment on column tidemark.events.transaction_id is
  'Transaction that appended the event.';
comment on column tidemark.events.stream_id is
  'Stream, named <category>-<id>.';
comment on column tidemark.events.version is
  'Place in the stream: 1, 2, 3 … without a hole.';
comment on column tidemark.events.event_id is
  'Identity of the event, a UUID of version 7 by habit.';
comment on column tidemark.events.type is
  'Event type, past tense, such as order.placed.';
comment on column tidemark.events.schema_version is
  'Version of the type''s schema that data conforms to.';
comment on column tidemark.events.data is
  'What happened.';
comment on column tidemark.events.metadata is
  'Circumstances: correlationId, causationId, userId and the like.';
comment on column tidemark.events.tags is
  'Labels for consistency conditions and look-ups.';
comment on column tidemark.events.recorded_at is
  'Server''s clock at insert. Not an order: use position.';

create table tidemark.sql_objects (
  name text not null,
  hash text not null,
  installed_at timestamptz not null default now(),
  constraint sql_objects_pkey primary key (name)
);

comment on table tidemark.sql_objects is
  'Functions, triggers and views as installed, with the hash of their text.';
comment on column tidemark.sql_objects.name is
  'Path of the object''s file.';
comment on column tidemark.sql_objects.hash is
  'SHA-256 of its text, in hexadecimal.';
comment on column tidemark.sql_objects.installed_at is
  'When this text was applied.';
