-- One row per stream.
create or replace view tidemark.streams as
select
  e.stream_id,
  max(e.version) as version,
  min(e.recorded_at) as first_recorded_at,
  max(e.recorded_at) as last_recorded_at
from tidemark.events as e
group by e.stream_id;

comment on view tidemark.streams is
  'Streams with their versions. Reads the whole log unless stream_id is given.';
