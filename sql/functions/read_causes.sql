-- Follows metadata.causationId from an event back to its root: to where it names no event of the log.
--
-- event_id:   the event
-- max_events: events to return at most
-- returns:    the event and its causes, the root last; no row when there is no such event
create or replace function tidemark.read_causes(event_id uuid, max_events integer)
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := read_causes.event_id;
  v_seen uuid[] := '{}';
  v_event tidemark.events;
  v_cause text;
begin
  while cardinality(v_seen) < read_causes.max_events loop
    select e.*
    into v_event
    from tidemark.find_event(v_id) as e;
    exit when not found;
    v_seen := v_seen || v_id;

    return query
    select r.*
    from tidemark.read_keys(array[
      row(v_event.incarnation, v_event.transaction_id, v_event.insert_id)::tidemark.event_key
    ]) as r;

    v_cause := v_event.metadata ->> 'causationId';
    exit when v_cause is null or v_cause !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
    v_id := v_cause::uuid;
    exit when v_id = any (v_seen);
  end loop;
end
$$;
