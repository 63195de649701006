-- Projections that are applied inline: by every append, in its own transaction.

alter table tidemark.subscriptions
  drop constraint subscriptions_state_check,
  add constraint subscriptions_state_check check (state in ('active', 'failed', 'inline'));

comment on column tidemark.subscriptions.state is
  'active; failed: it stands still, error says why; inline: appends apply it themselves.';

alter table tidemark.projections
  add column event_types text[],
  add column can_be_inline boolean not null default false;

comment on column tidemark.projections.event_types is
  'Event types that it reads. Null for a version that no worker has looked at since it was made.';

comment on column tidemark.projections.can_be_inline is
  'Whether its definition does without positions, which events do not have while they are appended.';

create table tidemark.inline_projections (
  name text collate "C" not null,
  version integer not null,
  types text[] not null,
  constraint inline_projections_pkey primary key (name),
  constraint inline_projections_version_fkey
    foreign key (name, version)
    references tidemark.projections (name, version)
);

comment on table tidemark.inline_projections is
  'Projections that appends apply themselves. Changed by tidemark.switch_inline alone.';
comment on column tidemark.inline_projections.name is
  'Name of the projection.';
comment on column tidemark.inline_projections.version is
  'The version that is applied: the live one.';
comment on column tidemark.inline_projections.types is
  'Event types that nobody may append without applying it.';

create table tidemark.inline_registry (
  singleton boolean not null default true,
  revision bigint not null default 0,
  constraint inline_registry_pkey primary key (singleton),
  constraint inline_registry_singleton_check check (singleton)
);

comment on table tidemark.inline_registry is
  'One row, changed with inline_projections: a transaction whose snapshot is older cannot lock it.';
comment on column tidemark.inline_registry.singleton is
  'Always true: there is one row.';
comment on column tidemark.inline_registry.revision is
  'Raised with each change.';

insert into tidemark.inline_registry default values;

-- Nothing in it outlives its transaction.
create unlogged table tidemark.inline_debts (
  transaction_id xid8 not null default pg_current_xact_id(),
  first_insert_id bigint not null,
  last_insert_id bigint not null,
  name text collate "C" not null,
  version integer not null,
  constraint inline_debts_pkey primary key (transaction_id, first_insert_id, name)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

comment on table tidemark.inline_debts is
  'Events inserted by a transaction that it has yet to apply to an inline projection before it may commit.';
comment on column tidemark.inline_debts.transaction_id is
  'The transaction.';
comment on column tidemark.inline_debts.first_insert_id is
  'The first of the events that one statement inserted.';
comment on column tidemark.inline_debts.last_insert_id is
  'The last of them.';
comment on column tidemark.inline_debts.name is
  'Name of the projection.';
comment on column tidemark.inline_debts.version is
  'Version of the projection.';
