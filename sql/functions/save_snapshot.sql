-- Keeps a decider's state. Does nothing when the stream has no such event, or a newer state is kept.
--
-- stream_id:       the stream
-- decider:         name of the decider
-- definition_hash: of the code that made the state
-- version:         version of the stream after which the state was taken
-- event_id:        the event of that version; a state of events that were never committed, or of a
--                  log that was restored to before them, is not kept
-- state:           the state, as JSON text
-- returns:         nothing
-- raises:          22P02 the state is not JSON
-- locks:           the rows of the stream in snapshots
create or replace function tidemark.save_snapshot(
  stream_id text,
  decider text,
  definition_hash text,
  version bigint,
  event_id uuid,
  state text
) returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into tidemark.snapshots as s (
    stream_id, decider, definition_hash, version, event_id, state
  )
  select
    e.stream_id,
    save_snapshot.decider,
    save_snapshot.definition_hash,
    e.version,
    e.event_id,
    save_snapshot.state::json
  from tidemark.events as e
  where e.stream_id = save_snapshot.stream_id
    and e.version = save_snapshot.version
    and e.event_id = save_snapshot.event_id
  on conflict on constraint snapshots_pkey do update
  set
    version = excluded.version,
    event_id = excluded.event_id,
    state = excluded.state,
    taken_at = excluded.taken_at
  where s.version < excluded.version
    -- Of a log that was restored to before it: it would stay in the way until the stream is as long.
    or not exists (
      select
      from tidemark.events as e
      where e.stream_id = s.stream_id
        and e.version = s.version
        and e.event_id = s.event_id
    );

  -- Left by other code. Not at once, because old and new code run side by side during a deployment.
  delete from tidemark.snapshots as s
  where s.stream_id = save_snapshot.stream_id
    and s.decider = save_snapshot.decider
    and s.definition_hash <> save_snapshot.definition_hash
    and s.taken_at < now() - interval '1 day';
$$;
