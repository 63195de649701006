-- Appends that a row was found, unless the last event of its stream says what the row is. The caller holds
-- the row, so that nobody else appends to its stream meanwhile.
--
-- raw:      the row, by to_jsonb, in a session that writes values as capture_row does
-- args:     arguments of the capture's trigger, from 0: see capture_row
-- relation: the table, with its schema, for the metadata
-- returns:  whether there was an event to append
-- raises:   as append_captured
-- locks:    as append_captured
create or replace function tidemark.capture_existing(raw jsonb, args text[], relation text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_stream text := tidemark.captured_stream(
    capture_existing.raw, capture_existing.args, capture_existing.relation::regclass
  );
  v_row jsonb := tidemark.captured_row(capture_existing.raw, capture_existing.args);
  v_last jsonb;
begin
  select e.data -> 'row'
  into v_last
  from tidemark.events as e
  where e.stream_id = v_stream
  order by e.version desc
  limit 1;
  if v_last::text = v_row::text then
    return false;
  end if;
  perform tidemark.append_captured(
    v_stream, capture_existing.args, 'captured', jsonb_build_object('row', v_row), capture_existing.relation
  );
  return true;
end
$$;
