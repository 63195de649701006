-- What a version of a projection still lacks, and what it will never have.

alter table tidemark.projections
  add column is_indexed boolean not null default true,
  add column start_position bigint not null default 0,
  add column reset_at timestamptz,
  add constraint projections_start_position_check check (start_position >= 0);

comment on column tidemark.projections.is_indexed is
  'Whether its secondary indexes and foreign keys are made: for a version that is rebuilt, at the end.';
comment on column tidemark.projections.start_position is
  'Its rows come from the events after this position alone; 0: from the whole log.';
comment on column tidemark.projections.reset_at is
  'When it was last emptied, to be built anew; null: never.';
