-- Appends events to many streams under a condition: no event matches a query but those that the writer
-- has seen (a dynamic consistency boundary, see dcb.events). In one statement of the caller's transaction.
--
-- query:   what the decision depends on, see read_query
-- after:   what a read of the query gave, see condition_holds; null: no event may match
-- the others, returns, raises, locks: as append_streams, which see; outcome may also be
--          condition failed: nothing was written
-- locks:   also those of condition_holds, before the streams
create or replace function tidemark.append_conditionally(
  query jsonb,
  after text,
  stream_ids text[],
  expected text[],
  event_streams integer[],
  event_stream_ids text[],
  event_offsets integer[],
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[],
  key text,
  out outcome text,
  out conflicts boolean[],
  out versions bigint[],
  out incarnation smallint,
  out transaction_id xid8
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not tidemark.condition_holds(
    append_conditionally.query,
    append_conditionally.after,
    append_conditionally.tags,
    append_conditionally.key,
    cardinality(append_conditionally.stream_ids)
  ) then
    append_conditionally.outcome := 'condition failed';
    return;
  end if;

  select a.outcome, a.conflicts, a.versions, a.incarnation, a.transaction_id
  into
    append_conditionally.outcome,
    append_conditionally.conflicts,
    append_conditionally.versions,
    append_conditionally.incarnation,
    append_conditionally.transaction_id
  from tidemark.append_streams(
    append_conditionally.stream_ids,
    append_conditionally.expected,
    append_conditionally.event_streams,
    append_conditionally.event_stream_ids,
    append_conditionally.event_offsets,
    append_conditionally.event_ids,
    append_conditionally.types,
    append_conditionally.schema_versions,
    append_conditionally.data,
    append_conditionally.metadata,
    append_conditionally.tags,
    append_conditionally.key
  ) as a;
end
$$;
