-- Appends one event of a captured table, in the transaction that changed the row.
--
-- Takes no lock on the stream. Whoever changes a row holds it until he ends, so that a stream has one
-- writer at a time, and a statement may change any number of rows. Where somebody appends to the stream
-- past the capture, the insert waits for him and the version is read anew. See decision 37.
--
-- stream_id: the stream
-- args:      arguments of the capture's trigger, from 0: see capture_row
-- kind:      captured, created, changed or deleted
-- data:      event data
-- relation:  the table, with its schema, for the metadata
-- raises:    TM011 the log was restored or copied here, and no incarnation has begun since
--            40001 a transaction of isolation repeatable read or higher lost a race; what guard_events does
-- locks:     the log, shared
create or replace function tidemark.append_captured(
  stream_id text,
  args text[],
  kind text,
  data jsonb,
  relation text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_metadata jsonb := jsonb_strip_nulls(jsonb_build_object(
    -- Names of settings, not of the schema.
    'userId', nullif(current_setting('tidemark' || '.actor', true), ''),
    'correlationId', nullif(current_setting('tidemark' || '.correlation_id', true), ''),
    'capture', jsonb_build_object(
      'table', append_captured.relation,
      'user', session_user,
      -- Not current_user, which is the owner of the trigger's function.
      'role', nullif(current_setting('role'), 'none'),
      'application', nullif(current_setting('application_name'), ''),
      'transactionId', pg_current_xact_id()::text
    )
  ));
begin
  -- Then the triggers of the log do not fire.
  if current_setting('session_replication_role') = 'replica' then
    perform pg_advisory_xact_lock_shared('tidemark.events'::regclass::oid::bigint);
    if not exists (select from tidemark.at_home) then
      raise exception 'the log was restored or copied to this database and has not been begun here'
        using errcode = 'TM011', hint = 'Run `tidemark migrate`, or a worker, and append again.';
    end if;
  end if;

  loop
    insert into tidemark.events as e (
      stream_id, version, event_id, type, schema_version, data, metadata
    )
    values (
      append_captured.stream_id,
      coalesce(
        (
          select l.version
          from tidemark.events as l
          where l.stream_id = append_captured.stream_id
          order by l.version desc
          limit 1
        ),
        0
      ) + 1,
      gen_random_uuid(),
      append_captured.args[0] || '.' || append_captured.kind,
      append_captured.args[1]::smallint,
      append_captured.data,
      v_metadata
    )
    on conflict on constraint events_stream_id_version_key do nothing;
    exit when found;
  end loop;
end
$$;
