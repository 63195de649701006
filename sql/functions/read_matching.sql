-- Reads the sequenced events that match, in the order of the log: a page of them after a position,
-- then one row that ends the page.
--
-- Goes through an index when one holds few entries for a condition, else through the log. One call
-- does a bounded piece of work, so that a page may hold fewer events although more follow.
--
-- after:           position after which to read
-- max_events:      events of the page at most, 1 or more
-- max_entries:     index entries to bring in order at most; with 0 an index only tells that there is
--                  nothing
-- max_positions:   positions to go through at most where no index is used, 1 or more
-- types, category, tags, correlation_id, recorded_from, recorded_to: see event_matches
-- after_insert_id: insert_id of the row that ended the page before; null when not known
-- returns:         events, ascending by position; then a row with a null stream_id: all up to its
--                  position has been read, its insert_id is the after_insert_id for the next call, and
--                  its type the index that was used, null for the log
-- raises:          TM006 the table and the ledger disagree
create or replace function tidemark.read_matching(
  after bigint,
  max_events integer,
  max_entries integer,
  max_positions integer,
  types text[] default null,
  category text default null,
  tags text[] default null,
  correlation_id text default null,
  recorded_from timestamptz default null,
  recorded_to timestamptz default null,
  after_insert_id bigint default null
)
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Runs of more positions are not faster, and rows of a run are held until it is read.
  v_max_run constant integer := 5000;
  v_max_position constant bigint := 9223372036854775807;
  v_index text := tidemark.choose_index(
    read_matching.max_entries,
    read_matching.types,
    read_matching.category,
    read_matching.tags,
    read_matching.correlation_id,
    read_matching.recorded_from,
    read_matching.recorded_to
  );
  v_left integer := read_matching.max_events;
  v_period_start bigint;
  v_period_end bigint := v_max_position;
  v_last bigint;
  v_run integer := least(read_matching.max_events, v_max_run);
  v_start bigint;
  v_row tidemark.log_row;
  v_end tidemark.log_row;
begin
  if v_index <> 'period' then
    return query
    select r.*
    from tidemark.read_found(
      v_index,
      read_matching.after,
      read_matching.max_events,
      read_matching.max_entries,
      read_matching.types,
      read_matching.category,
      read_matching.tags,
      read_matching.correlation_id,
      read_matching.recorded_from,
      read_matching.recorded_to,
      read_matching.after_insert_id
    ) as r;
    return;
  end if;

  v_end.position := read_matching.after;
  v_end.insert_id := read_matching.after_insert_id;
  if v_index = 'period' then
    select coalesce(p.after, 0), coalesce(p.last, 0)
    into v_period_start, v_period_end
    from tidemark.find_period(read_matching.recorded_from, read_matching.recorded_to) as p;
    if v_period_start > v_end.position then
      v_end.position := v_period_start;
      v_end.insert_id := null;
    end if;
  end if;
  v_last := least(
    least(v_end.position, v_max_position - read_matching.max_positions) + read_matching.max_positions,
    v_period_end
  );

  while v_left > 0 and v_end.position < v_last loop
    v_start := v_end.position;
    for v_row in
      select r.*
      from tidemark.read_log(
        v_start, least(v_run, v_last - v_start)::integer, read_matching.types, v_end.insert_id
      ) as r
      where r.stream_id is null
        or tidemark.event_matches(
          r.type, r.stream_id, r.metadata, r.tags, r.recorded_at,
          null, read_matching.category, read_matching.tags, read_matching.correlation_id,
          read_matching.recorded_from, read_matching.recorded_to
        )
    loop
      if v_row.stream_id is not null then
        return next v_row;
        v_left := v_left - 1;
      end if;
      v_end.position := v_row.position;
      v_end.insert_id := v_row.insert_id;
      exit when v_left = 0;
    end loop;
    exit when v_end.position = v_start;
    v_run := least(v_run * 2, v_max_run);
  end loop;

  if v_left > 0 and v_end.position >= v_period_end then
    select greatest(max(c.position), v_end.position)
    into v_end.position
    from tidemark.commits as c;
    v_end.insert_id := null;
  end if;
  return next v_end;
end
$$;
