-- States of deciders, so that a load need not begin at a stream's first event. A cache: events are
-- the truth, and every row may be deleted at any time.

create table tidemark.snapshots (
  stream_id text collate "C" not null,
  decider text collate "C" not null,
  definition_hash text collate "C" not null,
  version bigint not null,
  event_id uuid not null,
  -- Not jsonb: that orders the keys of objects anew, and a state may depend on their order.
  state json not null,
  taken_at timestamptz not null default clock_timestamp(),
  constraint snapshots_pkey primary key (stream_id, decider, definition_hash),
  constraint snapshots_version_check check (version > 0)
);

comment on table tidemark.snapshots is
  'States of deciders at a version of their stream. A cache: any row may be deleted.';
comment on column tidemark.snapshots.stream_id is
  'The stream.';
comment on column tidemark.snapshots.decider is
  'Name of the decider.';
comment on column tidemark.snapshots.definition_hash is
  'Hash of the decider''s version, event types and initial state. Code of another hash ignores the row.';
comment on column tidemark.snapshots.version is
  'Version of the stream after which the state was taken.';
comment on column tidemark.snapshots.event_id is
  'The event of that version. If the stream has another one there, the row is ignored.';
comment on column tidemark.snapshots.state is
  'The state, as the decider encodes it.';
comment on column tidemark.snapshots.taken_at is
  'When it was taken, by the server''s clock.';
