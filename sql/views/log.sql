-- One row per sequenced event, with its position. For people: programs read tidemark.read_log.
create or replace view tidemark.log as
select
  c.position - c.event_count + e.rank as position,
  e.stream_id,
  e.version,
  e.type,
  e.data,
  e.metadata,
  e.tags,
  e.event_id,
  e.schema_version,
  e.recorded_at,
  c.committed_at,
  e.incarnation,
  e.transaction_id
from tidemark.commits as c
cross join lateral (
  select events.*, row_number() over (order by events.insert_id) as rank
  from tidemark.events
  where events.incarnation = c.incarnation
    and events.transaction_id = c.transaction_id
) as e;

comment on view tidemark.log is
  'Events in their one order. Order by position; filter on position for a range.';
