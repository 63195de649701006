-- Appends, before a captured table is truncated, that each of its rows was deleted.
--
-- arguments: as of capture_row
-- returns:   null (statement trigger)
-- raises:    42501 the log's owner may not read the table, or not all of its rows; as append_captured
-- locks:     as append_captured
create or replace function tidemark.capture_truncate() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
-- To fail rather than to miss rows.
set row_security = off
as $$
declare
  v_relation text := format('%I.%I', tg_table_schema, tg_table_name);
  v_raw jsonb;
begin
  -- Not of t, which may be a column.
  for v_raw in execute format('select to_jsonb(t.*) from only %s as t', v_relation) loop
    perform tidemark.append_captured(
      tidemark.captured_stream(v_raw, tg_argv, tg_relid),
      tg_argv,
      'deleted',
      jsonb_build_object('old', tidemark.captured_row(v_raw, tg_argv)),
      v_relation
    );
  end loop;
  return null;
end
$$;
