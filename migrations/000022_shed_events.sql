-- Events that a reactor passed over while it was far behind, so that they can be replayed.

create table tidemark.shed_events (
  id bigint generated always as identity,
  reactor text collate "C" not null,
  positions bigint[] not null,
  events integer not null generated always as (cardinality(positions)) stored,
  behind bigint not null,
  shed_at timestamptz not null default clock_timestamp(),
  constraint shed_events_pkey primary key (reactor, id),
  constraint shed_events_positions_check check (cardinality(positions) > 0)
);

comment on table tidemark.shed_events is
  'Events that reactors passed over under load, a chunk in a row. Written with the checkpoint that passes them.';
comment on column tidemark.shed_events.id is
  'In the order of the log, for each reactor.';
comment on column tidemark.shed_events.reactor is
  'Name of the reactor.';
comment on column tidemark.shed_events.positions is
  'Positions of the events, ascending.';
comment on column tidemark.shed_events.events is
  'How many they are.';
comment on column tidemark.shed_events.behind is
  'Positions between the reactor and the head of the log at that moment.';
comment on column tidemark.shed_events.shed_at is
  'When it passed them over.';
