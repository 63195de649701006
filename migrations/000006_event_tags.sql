-- Events by tag, for consistency conditions and look-ups. Filled by the guard of tidemark.events.

create table tidemark.event_tags (
  tag text collate "C" not null,
  incarnation smallint not null,
  transaction_id xid8 not null,
  insert_id bigint not null,
  constraint event_tags_pkey primary key (tag, incarnation, transaction_id, insert_id)
);

comment on table tidemark.event_tags is
  'Which events have which tag: one row for each tag of an event. Filled with the events.';
comment on column tidemark.event_tags.tag is
  'A tag of the event.';
comment on column tidemark.event_tags.incarnation is
  'The event''s, as in tidemark.events.';
comment on column tidemark.event_tags.transaction_id is
  'The event''s, as in tidemark.events. Tells what a reader with a snapshot has not seen.';
comment on column tidemark.event_tags.insert_id is
  'The event''s, as in tidemark.events.';
