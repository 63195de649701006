-- Events that a subscription could not apply, and those of the same key behind them.

alter table tidemark.subscriptions add column revision bigint not null default 0;

comment on column tidemark.subscriptions.revision is
  'Raised whenever somebody else than its owner changes what it applied; the owner then begins anew.';

create table tidemark.parked_events (
  kind text not null,
  name text collate "C" not null,
  version integer not null,
  lane text collate "C" not null,
  key text collate "C" not null,
  position bigint not null,
  event_id uuid not null,
  type text not null,
  stream_id text collate "C" not null,
  stream_version bigint not null,
  error jsonb,
  attempts integer not null default 0,
  parked_at timestamptz not null default clock_timestamp(),
  constraint parked_events_pkey primary key (kind, name, version, lane, position),
  constraint parked_events_subscription_fkey
    foreign key (kind, name, version)
    references tidemark.subscriptions (kind, name, version)
    on delete cascade
);

comment on table tidemark.parked_events is
  'Dead letters: events that a subscription could not apply, and those of the same key behind them.';
comment on column tidemark.parked_events.kind is
  'Kind of the subscription.';
comment on column tidemark.parked_events.name is
  'Name of the subscription.';
comment on column tidemark.parked_events.version is
  'Version of the subscription.';
comment on column tidemark.parked_events.lane is
  'The part of the subscription that has not applied the event: a table that is folded into, each, batch.';
comment on column tidemark.parked_events.key is
  'What the event concerns in its lane. Later events of the same key are parked behind it.';
comment on column tidemark.parked_events.position is
  'Position of the event in the log.';
comment on column tidemark.parked_events.event_id is
  'Id of the event.';
comment on column tidemark.parked_events.type is
  'Type of the event.';
comment on column tidemark.parked_events.stream_id is
  'Stream of the event.';
comment on column tidemark.parked_events.stream_version is
  'Version of the event in its stream.';
comment on column tidemark.parked_events.error is
  'Why it could not be applied: code and message. Null for an event that waits behind another.';
comment on column tidemark.parked_events.attempts is
  'How often it failed: when it was parked, and when it was retried.';
comment on column tidemark.parked_events.parked_at is
  'When it was parked.';
