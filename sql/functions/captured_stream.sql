-- Names the stream of a captured row: the category and the key. Of a key of several columns the values are
-- parted by commas, and a comma or percent sign within a value is written %2C or %25, so that two keys never
-- have one name. A name over 1,000 bytes, which no stream has, is replaced by its hash.
--
-- A key column that is no longer there was renamed, or the key was changed: then it is the primary key that
-- the table has by now.
--
-- raw:      the row, by to_jsonb
-- args:     arguments of the capture's trigger, from 0: see capture_row
-- relation: the table
-- returns:  id of the stream
create or replace function tidemark.captured_stream(raw jsonb, args text[], relation oid) returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_names text[] := captured_stream.args[6:];
  v_id text;
begin
  if not captured_stream.raw ?& v_names then
    select coalesce(array_agg(a.attname::text order by k.ordinality), v_names)
    into v_names
    from pg_index as i
    cross join lateral unnest(i.indkey) with ordinality as k (attnum, ordinality)
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = captured_stream.relation
      and i.indisprimary;
  end if;

  if cardinality(v_names) = 1 then
    v_id := coalesce(captured_stream.raw ->> v_names[array_lower(v_names, 1)], '%00');
  else
    select string_agg(
      coalesce(replace(replace(captured_stream.raw ->> n.name, '%', '%25'), ',', '%2C'), '%00'),
      ',' order by n.ordinality
    )
    into v_id
    from unnest(v_names) with ordinality as n (name, ordinality);
  end if;

  v_id := captured_stream.args[0] || '-' || v_id;
  if octet_length(v_id) <= 1000 then
    return v_id;
  end if;
  return captured_stream.args[0] || '-sha256:' || encode(sha256(convert_to(v_id, 'UTF8')), 'hex');
end
$$;
