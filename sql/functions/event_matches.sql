-- Tells whether an event is one of those that a filtered read of the log wants. A condition that is
-- null wants all. Written so that the planner takes it apart.
--
-- type, stream_id, metadata, tags, recorded_at: the event's
-- types:          its type is one of them
-- category:       its stream id begins with this and a hyphen
-- all_tags:       it has all of them
-- correlation_id: its metadata has this correlationId
-- recorded_from:  it was recorded then or later
-- recorded_to:    it was recorded before
-- returns:        whether all of that is so
create or replace function tidemark.event_matches(
  type text,
  stream_id text,
  metadata jsonb,
  tags text[],
  recorded_at timestamptz,
  types text[],
  category text,
  all_tags text[],
  correlation_id text,
  recorded_from timestamptz,
  recorded_to timestamptz
)
returns boolean
language sql
immutable
return
  (event_matches.types is null or event_matches.type = any (event_matches.types))
  and (
    event_matches.category is null
    or starts_with(event_matches.stream_id, event_matches.category || '-')
  )
  and (event_matches.all_tags is null or event_matches.tags @> event_matches.all_tags)
  and (
    event_matches.correlation_id is null
    or event_matches.metadata ->> 'correlationId' = event_matches.correlation_id
  )
  and (
    event_matches.recorded_from is null
    or event_matches.recorded_at >= event_matches.recorded_from
  )
  and (event_matches.recorded_to is null or event_matches.recorded_at < event_matches.recorded_to);
