-- The hash chain over the log, and how far it reaches. docs/integrity.md says how it is computed.

create table tidemark.seals (
  position bigint not null,
  event_count integer not null,
  previous_hash bytea,
  hash bytea not null,
  digests bytea not null,
  sealed_at timestamptz not null default clock_timestamp(),
  constraint seals_pkey primary key (position),
  constraint seals_previous_hash_key unique (previous_hash),
  constraint seals_position_check check (position >= event_count),
  constraint seals_event_count_check check (event_count > 0 or position = 0),
  constraint seals_previous_hash_check
    check (octet_length(previous_hash) = 32 or (previous_hash is null and position = 0)),
  constraint seals_hash_check check (octet_length(hash) = 32),
  constraint seals_digests_check check (octet_length(digests) = 8 * event_count)
);

-- Hashes do not compress: the attempt would cost more than all the rest.
alter table tidemark.seals alter column digests set storage external;

comment on table tidemark.seals is
  'The hash chain over all events in the order of their positions, one row per run of events.';
comment on column tidemark.seals.position is
  'Position of the run''s last event. The row at 0 begins the chain.';
comment on column tidemark.seals.event_count is
  'Number of events in the run. It covers position - event_count + 1 to position.';
comment on column tidemark.seals.previous_hash is
  'Hash of the seal before. Null at position 0.';
comment on column tidemark.seals.hash is
  'The chain''s hash at the position. At 0 it is random: the identity of the log.';
comment on column tidemark.seals.digests is
  'First 8 bytes of the SHA-256 of each event, one after the other: to name the one that changed.';
comment on column tidemark.seals.sealed_at is
  'Server''s clock when the run was sealed. For people: the chain does not cover it.';

create table tidemark.seal_head (
  singleton boolean not null default true,
  position bigint not null,
  hash bytea not null,
  insert_id bigint,
  constraint seal_head_pkey primary key (singleton),
  constraint seal_head_singleton_check check (singleton)
) with (fillfactor = 10);

comment on table tidemark.seal_head is
  'One row: the last seal. Who seals locks it, so that the chain cannot fork.';
comment on column tidemark.seal_head.singleton is
  'Always true: there is one row.';
comment on column tidemark.seal_head.position is
  'Position of the last seal.';
comment on column tidemark.seal_head.hash is
  'Hash of the last seal.';
comment on column tidemark.seal_head.insert_id is
  'insert_id of the last sealed event, so that a large commit need not be counted from its start.';

with genesis as (
  insert into tidemark.seals (position, event_count, hash, digests)
  values (0, 0, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), '')
  returning position, hash
)
insert into tidemark.seal_head (position, hash)
select genesis.position, genesis.hash
from genesis;
