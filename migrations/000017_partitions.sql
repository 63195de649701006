-- Projections that are applied in parts, each with a position of its own, by any number of processes.

alter table tidemark.parked_events drop constraint parked_events_subscription_fkey;

alter table tidemark.subscriptions
  drop constraint subscriptions_pkey,
  add column partition integer not null default 0,
  add column partitions integer not null default 1,
  add column next_partitions integer,
  add column halt_at bigint,
  add constraint subscriptions_pkey primary key (kind, name, version, partition),
  add constraint subscriptions_partition_check check (partition >= 0 and partition < partitions),
  add constraint subscriptions_next_partitions_check check (next_partitions > 0),
  add constraint subscriptions_halt_at_check
    check ((halt_at is null) = (next_partitions is null) and halt_at >= position);

comment on column tidemark.subscriptions.partition is
  'Which part of its keys the row is about, from 0.';
comment on column tidemark.subscriptions.partitions is
  'Into how many parts its keys are divided now, by their hash: the same in each of so many rows.';
comment on column tidemark.subscriptions.next_partitions is
  'Into how many they are to be divided, once each part stands at halt_at.';
comment on column tidemark.subscriptions.halt_at is
  'No part goes beyond this position until then.';

alter table tidemark.parked_events
  add column first_partition integer not null generated always as (0) stored,
  add constraint parked_events_subscription_fkey
    foreign key (kind, name, version, first_partition)
    references tidemark.subscriptions (kind, name, version, partition)
    on delete cascade;

comment on column tidemark.parked_events.first_partition is
  'Always 0: the row of the subscription that is there however its keys are divided.';

alter table tidemark.projections
  add column partitions integer not null default 1,
  add constraint projections_partitions_check check (partitions > 0);

comment on column tidemark.projections.partitions is
  'Into how many parts its keys are to be divided. While it is built they may be others.';
