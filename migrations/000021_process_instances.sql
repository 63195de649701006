-- How the instances of processes are doing, for listing and counting them.

create table tidemark.process_instances (
  process text collate "C" not null,
  id text collate "C" not null,
  state text not null,
  reason text,
  position bigint not null,
  begun_at timestamptz not null,
  changed_at timestamptz not null,
  constraint process_instances_pkey primary key (process, id),
  constraint process_instances_state_check
    check (state in ('running', 'compensating', 'stuck', 'completed', 'compensated'))
);

comment on table tidemark.process_instances is
  'How the instances of processes are doing. Written with what they answer, which their streams hold in full.';
comment on column tidemark.process_instances.process is
  'Name of the process.';
comment on column tidemark.process_instances.id is
  'What its events name the instance by. Its stream is process:<process>-<id>.';
comment on column tidemark.process_instances.state is
  'stuck: a command was given up, or a compensation refused. completed, compensated: over, for ever.';
comment on column tidemark.process_instances.reason is
  'Why it failed.';
comment on column tidemark.process_instances.position is
  'Position of the event that it was told last.';
comment on column tidemark.process_instances.begun_at is
  'When the event that began it was recorded.';
comment on column tidemark.process_instances.changed_at is
  'When the event that it was told last was recorded.';

-- Those that are not over are few, whatever the number of all.
create index process_instances_open_idx
  on tidemark.process_instances (process, state)
  where state in ('running', 'compensating', 'stuck');
