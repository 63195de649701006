-- Appends what became of a row of a captured table. Runs with the rights of the log's owner, so that who
-- changes the table need not be allowed to append. What the row was and is it gets as text from hand_over_row,
-- which fires right before: it runs nothing that belongs to the table's columns.
--
-- argument 0: the category, which begins stream ids and event types
-- argument 1: schema version of the events
-- argument 2: columns whose numbers doubles cannot hold, as the text of a text[]
-- argument 3: columns, except or nothing: which columns argument 4 names
-- argument 4: columns that are recorded, or that are not, as the text of a text[]
-- argument 5: columns that were recorded when the capture was installed, as the text of a text[]
-- argument 6: and all after it: the columns of the key
-- returns:    null (row trigger)
-- raises:     55000 nothing was handed over; as append_captured
-- locks:      as append_captured
create or replace function tidemark.capture_row() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_relation text := format('%I.%I', tg_table_schema, tg_table_name);
  v_values text := current_setting('tidemark' || '.captured', true);
  v_raw jsonb;
  v_old jsonb;
  v_old_stream text;
  v_new jsonb;
  v_new_stream text;
begin
  -- So that nobody reads it there who may not read the row, and nothing is taken for two.
  perform set_config('tidemark' || '.captured', '', true);
  if v_values = 'same' then
    return null;
  end if;
  if coalesce(v_values, '') = '' then
    raise object_not_in_prerequisite_state using
      message = format('table %s is captured by one trigger alone', v_relation),
      hint = 'Run `tidemark capture` again for the table.';
  end if;

  if tg_op <> 'INSERT' then
    v_raw := split_part(v_values, chr(10), 1)::jsonb;
    v_old_stream := tidemark.captured_stream(v_raw, tg_argv, tg_relid);
    v_old := tidemark.captured_row(v_raw, tg_argv);
  end if;
  if tg_op <> 'DELETE' then
    v_raw := split_part(v_values, chr(10), (tg_op = 'UPDATE')::integer + 1)::jsonb;
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
