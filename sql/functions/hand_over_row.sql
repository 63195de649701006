-- Hands what became of a row of a captured table over to capture_row, which fires next.
--
-- Runs with the rights of who changes the table, because to_jsonb runs casts that a column's type brings
-- along: whoever owns the type wrote them, and must not get the rights of the log's owner by it. So what is
-- handed over is a text, in a setting of the session that capture_row empties at once. See decision 37.
--
-- Texts of times, bytes and numbers do not depend on how the session writes them.
--
-- returns: null (row trigger)
create or replace function tidemark.hand_over_row() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
as $$
declare
  v_values text;
begin
  if tg_op = 'INSERT' then
    v_values := to_jsonb(new)::text;
  elsif tg_op = 'DELETE' then
    v_values := to_jsonb(old)::text;
  elsif old *= new then
    -- By their bytes: types need no operators for it.
    v_values := 'same';
  else
    -- The text of a jsonb is one line.
    v_values := to_jsonb(old)::text || chr(10) || to_jsonb(new)::text;
  end if;
  -- Name of a setting, not of the schema.
  perform set_config('tidemark' || '.captured', v_values, true);
  return null;
end
$$;
