-- Effects that happen once, jobs that keep their order, and workers whose jobs others take over.

create table tidemark.once_results (
  scope text collate "C" not null,
  key text collate "C" not null,
  result jsonb,
  recorded_at timestamptz not null default clock_timestamp(),
  constraint once_results_pkey primary key (scope, key)
);

comment on table tidemark.once_results is
  'What was done once, with its result. Old rows may be deleted: what they name is then done anew.';
comment on column tidemark.once_results.scope is
  'What the key is unique within: a piece of work, such as one job.';
comment on column tidemark.once_results.key is
  'Which effect of it.';
comment on column tidemark.once_results.result is
  'What it gave.';
comment on column tidemark.once_results.recorded_at is
  'When it was done.';

-- For deleting old results.
create index once_results_recorded_at_idx on tidemark.once_results (recorded_at);

create table tidemark.job_lanes (
  lane text collate "C" not null,
  enqueued bigint not null default 0,
  constraint job_lanes_pkey primary key (lane)
) with (fillfactor = 50);

comment on table tidemark.job_lanes is
  'Lanes of which graphile-worker has a job: the first of those in ordered_jobs.';
comment on column tidemark.job_lanes.lane is
  'The reactor, and what keeps its order there, such as a stream.';
comment on column tidemark.job_lanes.enqueued is
  'How often jobs came while it had some. Whoever adds or ends a job of the lane locks the row by it.';

create table tidemark.ordered_jobs (
  lane text collate "C" not null,
  sequence bigint not null generated always as identity,
  key text collate "C" not null,
  spec jsonb not null,
  constraint ordered_jobs_pkey primary key (lane, sequence),
  constraint ordered_jobs_key unique (lane, key)
);

comment on table tidemark.ordered_jobs is
  'Jobs that run one after the other within their lane. Graphile-worker has the first; the others wait for it.';
comment on column tidemark.ordered_jobs.lane is
  'What keeps its order: see job_lanes.';
comment on column tidemark.ordered_jobs.sequence is
  'Order within the lane.';
comment on column tidemark.ordered_jobs.key is
  'Names the job, for whoever ends it.';
comment on column tidemark.ordered_jobs.spec is
  'What graphile-worker is given when it is its turn.';

create table tidemark.job_workers (
  id text collate "C" not null,
  schema_name text not null,
  lock_key bigint not null,
  owner text not null,
  started_at timestamptz not null default clock_timestamp(),
  missed_at timestamptz,
  constraint job_workers_pkey primary key (id)
);

comment on table tidemark.job_workers is
  'Workers that run jobs. Each holds an advisory lock; when that is free for long, others take over its jobs.';
comment on column tidemark.job_workers.id is
  'Under which it locks jobs.';
comment on column tidemark.job_workers.schema_name is
  'Schema of graphile-worker.';
comment on column tidemark.job_workers.lock_key is
  'Of the advisory lock that it holds.';
comment on column tidemark.job_workers.owner is
  'The process, for people.';
comment on column tidemark.job_workers.started_at is
  'When it began.';
comment on column tidemark.job_workers.missed_at is
  'Since when nobody holds its lock, as far as somebody saw. Null: it does.';
