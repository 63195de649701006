-- Makes of a row what an event of its capture says of it: without the columns that are left out, and with
-- numbers that doubles cannot hold as texts.
--
-- A column that is to be left out and is no longer there may have been renamed. Then nothing is recorded but
-- the columns that were there when the capture was installed: what is secret does not come out by a rename.
--
-- raw:     the row, by to_jsonb
-- args:    arguments of the capture's trigger, from 0: see capture_row
-- returns: the row as it is recorded
create or replace function tidemark.captured_row(raw jsonb, args text[]) returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_row jsonb := captured_row.raw;
  v_kept text[];
  v_name text;
  v_names text[] := '{}';
  v_texts text[] := '{}';
begin
  if captured_row.args[3] = 'columns' then
    v_kept := captured_row.args[4]::text[];
  elsif captured_row.args[3] = 'except' then
    if captured_row.raw ?& captured_row.args[4]::text[] then
      v_row := v_row - captured_row.args[4]::text[];
    else
      v_kept := captured_row.args[5]::text[];
    end if;
  end if;
  if v_kept is not null then
    select coalesce(jsonb_object_agg(c.key, c.value), '{}')
    into v_row
    from jsonb_each(captured_row.raw) as c
    where c.key = any (v_kept);
  end if;

  -- In one step: each makes a copy of the row.
  if captured_row.args[2] <> '{}' then
    foreach v_name in array captured_row.args[2]::text[] loop
      if v_row ? v_name then
        v_names := v_names || v_name;
        v_texts := v_texts || (v_row ->> v_name);
      end if;
    end loop;
    v_row := v_row || jsonb_object(v_names, v_texts);
  end if;
  return v_row;
end
$$;
