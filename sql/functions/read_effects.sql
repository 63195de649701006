-- Follows metadata.causationId from an event to all that it caused, directly or not, among the events
-- of its correlation: those with the same metadata.correlationId, or with the event's own id there
-- when it has none.
--
-- event_id:   the event
-- max_events: events to return at most; those caused more directly come in first
-- returns:    the event and its effects in the order of the log; no row when there is no such event
create or replace function tidemark.read_effects(event_id uuid, max_events integer)
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_event tidemark.events;
  v_correlation text;
  v_keys tidemark.event_key[];
begin
  select e.*
  into v_event
  from tidemark.find_event(read_effects.event_id) as e;
  if not found then
    return;
  end if;
  v_correlation := coalesce(v_event.metadata ->> 'correlationId', v_event.event_id::text);

  with recursive
  related as materialized (
    select
      row(e.incarnation, e.transaction_id, e.insert_id)::tidemark.event_key as key,
      e.event_id::text as id,
      lower(e.metadata ->> 'causationId') as cause
    from tidemark.events as e
    where e.metadata ->> 'correlationId' = v_correlation
      and octet_length(e.metadata ->> 'correlationId') <= 500
  ),
  chain as (
    select
      row(
        v_event.incarnation,
        v_event.transaction_id,
        v_event.insert_id
      )::tidemark.event_key as key,
      v_event.event_id::text as id
    union
    select r.key, r.id
    from chain as c
    join related as r on r.cause = c.id
  )
  select array_agg(c.key)
  into v_keys
  from (
    select chain.key
    from chain
    limit read_effects.max_events
  ) as c;

  return query
  select r.*
  from tidemark.read_keys(v_keys) as r;
end
$$;
