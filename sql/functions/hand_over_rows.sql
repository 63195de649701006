-- Hands all rows of a captured table that is about to be truncated over to capture_truncate, which fires
-- next. See hand_over_row.
--
-- returns: null (statement trigger)
-- raises:  42501 who truncates the table may not read it, or not all of its rows; 54000 and 53200 they are too
--          much for one text
create or replace function tidemark.hand_over_rows() returns trigger
language plpgsql
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
  v_values text;
begin
  -- Not of t, which may be a column.
  execute format(
    'select string_agg(chr(10) || to_jsonb(t.*)::text, '''') from only %I.%I as t',
    tg_table_schema,
    tg_table_name
  )
  into v_values;
  perform set_config('tidemark' || '.captured', 'rows' || coalesce(v_values, ''), true);
  return null;
end
$$;
