-- Stops a statement that reads stored events by itself at one in another shape than it was written for.
--
-- incarnation, transaction_id, insert_id: of the event, which has a position
-- returns: never
-- raises:  TM012
create or replace function tidemark.refuse_schema_version(
  incarnation smallint,
  transaction_id xid8,
  insert_id bigint
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_event record;
begin
  select e.type, e.schema_version, e.stream_id, c.position - c.event_count + (
    select count(*)
    from tidemark.events as b
    where b.incarnation = e.incarnation
      and b.transaction_id = e.transaction_id
      and b.insert_id <= e.insert_id
  ) as "position"
  into strict v_event
  from tidemark.events as e
  join tidemark.commits as c using (incarnation, transaction_id)
  where e.incarnation = refuse_schema_version.incarnation
    and e.transaction_id = refuse_schema_version.transaction_id
    and e.insert_id = refuse_schema_version.insert_id;

  raise exception 'event "%" at position % has schema version %, this code knows no other than 1',
    v_event.type, v_event.position, v_event.schema_version
    using
      errcode = 'TM012',
      detail = json_build_object(
        'type', v_event.type,
        'schemaVersion', v_event.schema_version,
        'streamId', v_event.stream_id,
        'position', v_event.position::text
      )::text,
      hint = 'Deploy the code that wrote it here, too.';
end
$$;
