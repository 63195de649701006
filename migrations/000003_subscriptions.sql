-- Who reads the log, how far each has come, and which projection versions exist.

create table tidemark.subscriptions (
  kind text not null,
  name text collate "C" not null,
  version integer not null,
  position bigint not null default 0,
  state text not null default 'active',
  error jsonb,
  owner text,
  updated_at timestamptz not null default now(),
  constraint subscriptions_pkey primary key (kind, name, version),
  constraint subscriptions_kind_check check (kind in ('projection', 'reactor', 'process', 'relay')),
  constraint subscriptions_state_check check (state in ('active', 'failed')),
  constraint subscriptions_position_check check (position >= 0)
) with (fillfactor = 20);

comment on table tidemark.subscriptions is
  'Named, ordered deliveries of the log, each with its checkpoint.';
comment on column tidemark.subscriptions.kind is
  'What it drives: projection, reactor, process or relay.';
comment on column tidemark.subscriptions.name is
  'Name of what it drives.';
comment on column tidemark.subscriptions.version is
  'Version of the projection; 1 for other kinds.';
comment on column tidemark.subscriptions.updated_at is
  'When it last moved or failed.';
comment on column tidemark.subscriptions.position is
  'Checkpoint: everything up to this position has been applied.';
comment on column tidemark.subscriptions.state is
  'active, or failed: a handler threw on each attempt and the subscription stands still.';
comment on column tidemark.subscriptions.error is
  'Why the subscription failed: code, message, position and type of the event.';
comment on column tidemark.subscriptions.owner is
  'Process that last applied a chunk. For people; it decides nothing.';

create table tidemark.projections (
  name text collate "C" not null,
  version integer not null,
  state text not null,
  schema_name text not null,
  view_schema text not null,
  definition_hash text not null,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  constraint projections_pkey primary key (name, version),
  constraint projections_schema_name_key unique (schema_name),
  constraint projections_version_check check (version > 0),
  constraint projections_state_check
    check (state in ('building', 'ready', 'live', 'standby', 'retired'))
);

create unique index projections_live_key
  on tidemark.projections (name)
  where state = 'live';

comment on table tidemark.projections is
  'Versions of each projection. One of them is live: its tables are what the views show.';
comment on column tidemark.projections.name is
  'Name of the projection.';
comment on column tidemark.projections.version is
  'Version, as its definition says.';
comment on column tidemark.projections.created_at is
  'When the version was created.';
comment on column tidemark.projections.changed_at is
  'When its state last changed.';
comment on column tidemark.projections.state is
  'building (catching up), ready (caught up), live (shown), standby (was live, follows), retired.';
comment on column tidemark.projections.schema_name is
  'Schema that holds the tables of this version.';
comment on column tidemark.projections.view_schema is
  'Schema that holds the views on the live version.';
comment on column tidemark.projections.definition_hash is
  'Hash of the table definitions, to detect that code and database have drifted apart.';
