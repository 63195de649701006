-- Lets a start notice that somebody changed the tables of a projection by hand.

alter table tidemark.projections add column tables jsonb;

comment on column tidemark.projections.tables is
  'Its tables as they were made: columns, types, nullability and keys. Null for versions made before.';
