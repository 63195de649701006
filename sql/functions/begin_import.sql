-- Begins to import a run of events: takes their locks and says where their streams are. The caller
-- then inserts them and calls end_import, in the same transaction.
--
-- key:        the import's key
-- imported:   how many events of its source the caller takes for imported
-- stream_ids: streams of which the events have no versions yet
-- locked:     all streams of the events, those included
-- tags:       per event: its tags as the text of a text[], or null; or null for none at all
-- returns:    versions: of stream_ids, 0 for one without events; null when the import is somewhere
--             else: another process carries it on; recorded_at: the server's clock, as ISO 8601
-- locks:      the import; see lock_appends
create or replace function tidemark.begin_import(
  key text,
  imported bigint,
  stream_ids text[],
  locked text[],
  tags text[],
  out versions bigint[],
  out recorded_at text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_event_count bigint;
begin
  insert into tidemark.imports as i (key)
  values (begin_import.key)
  on conflict do nothing;
  select i.event_count
  into v_event_count
  from tidemark.imports as i
  where i.key = begin_import.key
  for update;
  if v_event_count <> begin_import.imported then
    return;
  end if;

  perform tidemark.lock_appends(begin_import.locked, '{}', begin_import.tags);

  begin_import.versions := tidemark.stream_versions(begin_import.stream_ids);
  begin_import.recorded_at := to_char(
    clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
  );
end
$$;
