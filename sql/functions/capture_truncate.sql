-- Appends, before a captured table is truncated, that each of its rows was deleted. hand_over_rows, which fires
-- right before, says what they are.
--
-- arguments: as of capture_row
-- returns:   null (statement trigger)
-- raises:    55000 nothing was handed over; as append_captured
-- locks:     as append_captured
create or replace function tidemark.capture_truncate() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_relation text := format('%I.%I', tg_table_schema, tg_table_name);
  v_values text := current_setting('tidemark' || '.captured', true);
  v_raw jsonb;
begin
  perform set_config('tidemark' || '.captured', '', true);
  if split_part(coalesce(v_values, ''), chr(10), 1) <> 'rows' then
    raise object_not_in_prerequisite_state using
      message = format('table %s is captured by one trigger alone', v_relation),
      hint = 'Run `tidemark capture` again for the table.';
  end if;
  for v_raw in
    select r.line::jsonb
    from string_to_table(v_values, chr(10)) with ordinality as r (line, number)
    where r.number > 1
    order by r.number
  loop
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
