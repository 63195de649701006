-- Appends what became of a row of a captured table. Runs with the rights of the log's owner, so that who
-- changes the table need not be allowed to append.
--
-- Texts of times, bytes and numbers do not depend on how the session writes them.
--
-- argument 0: the category, which begins stream ids and event types
-- argument 1: schema version of the events
-- argument 2: columns whose numbers doubles cannot hold, as the text of a text[]
-- argument 3: columns, except or nothing: which columns argument 4 names
-- argument 4: columns that are recorded, or that are not, as the text of a text[]
-- argument 5: columns that were recorded when the capture was installed, as the text of a text[]
-- argument 6: and all after it: the columns of the key
-- returns:    null (row trigger)
-- raises:     as append_captured
-- locks:      as append_captured
create or replace function tidemark.capture_row() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
as $$
declare
  v_relation text := format('%I.%I', tg_table_schema, tg_table_name);
  v_raw jsonb;
  v_old jsonb;
  v_old_stream text;
  v_new jsonb;
  v_new_stream text;
begin
  if tg_op = 'UPDATE' then
    -- By their bytes: types need no operators for it.
    if old *= new then
      return null;
    end if;
  end if;

  if tg_op <> 'INSERT' then
    v_raw := to_jsonb(old);
    v_old_stream := tidemark.captured_stream(v_raw, tg_argv, tg_relid);
    v_old := tidemark.captured_row(v_raw, tg_argv);
  end if;
  if tg_op <> 'DELETE' then
    v_raw := to_jsonb(new);
    v_new_stream := tidemark.captured_stream(v_raw, tg_argv, tg_relid);
    v_new := tidemark.captured_row(v_raw, tg_argv);
  end if;

  if v_old_stream = v_new_stream then
    -- As text, because 1.0 and 1.00 are one number.
    if v_old::text <> v_new::text then
      perform tidemark.append_captured(
        v_new_stream, tg_argv, 'changed', jsonb_build_object('row', v_new, 'old', v_old), v_relation
      );
    end if;
    return null;
  end if;
  if v_old is not null then
    perform tidemark.append_captured(
      v_old_stream, tg_argv, 'deleted', jsonb_build_object('old', v_old), v_relation
    );
  end if;
  if v_new is not null then
    perform tidemark.append_captured(
      v_new_stream, tg_argv, 'created', jsonb_build_object('row', v_new), v_relation
    );
  end if;
  return null;
end
$$;
