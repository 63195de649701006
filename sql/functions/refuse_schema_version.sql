-- Stops a statement that reads stored events by itself at one in another shape than it was written for.
--
-- type, schema_version, stream_id, position: of the event
-- returns: never
-- raises:  TM012
create or replace function tidemark.refuse_schema_version(
  type text,
  schema_version smallint,
  stream_id text,
  "position" bigint
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'event "%" at position % has schema version %, this code knows no other than 1',
    refuse_schema_version.type, refuse_schema_version.position, refuse_schema_version.schema_version
    using
      errcode = 'TM012',
      detail = json_build_object(
        'type', refuse_schema_version.type,
        'schemaVersion', refuse_schema_version.schema_version,
        'streamId', refuse_schema_version.stream_id,
        'position', refuse_schema_version.position::text
      )::text,
      hint = 'Deploy the code that wrote it here, too.';
end
$$;
