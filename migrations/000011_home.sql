-- Tells a log that was restored, or copied row by row, from one that is where it was written: such a copy
-- cannot have the transaction ids that its rows had.

create table tidemark.home (
  singleton boolean not null default true,
  table_id oid not null,
  transaction_id xid8 not null default pg_current_xact_id(),
  constraint home_pkey primary key (singleton),
  constraint home_singleton_check check (singleton)
);

comment on table tidemark.home is
  'One row: which transaction wrote it. Where another one did, the log was restored or copied there.';
comment on column tidemark.home.singleton is
  'Always true: there is one row.';
comment on column tidemark.home.table_id is
  'OID of this table in the database in which the row was written.';
comment on column tidemark.home.transaction_id is
  'Transaction that wrote the row: in its home also the one that the server says did.';

insert into tidemark.home (table_id)
values ('tidemark.home'::regclass);
