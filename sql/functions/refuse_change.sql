-- Refuses update, delete and truncate of an append-only table, for its owner too.
--
-- returns: never
-- raises:  TM001 the table is append-only
create or replace function tidemark.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% is refused: table "%.%" is append-only', tg_op, tg_table_schema, tg_table_name
    using
      errcode = 'TM001',
      hint = 'Append a correcting event instead.',
      schema = tg_table_schema,
      table = tg_table_name;
end
$$;
