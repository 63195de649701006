-- Reads the log in its one order: a run of events after a position, then one row that ends the run.
--
-- A run holds whole commits, so that a reader never applies half a commit, except where one commit
-- alone is larger than max_events; that one is read in parts.
--
-- after:           position after which to read
-- max_events:      how many positions the run covers at most
-- types:           event types to return, null for all; positions are those of the whole log
-- after_insert_id: within a commit read in parts: insert_id of the row that ended the part before,
--                  so that the rows before it need not be counted again; null when not known
-- returns:         events, ascending by position; then a row with a null stream_id whose position
--                  is the end of the run (equal to after when there is nothing to read) and whose
--                  insert_id is the after_insert_id for the next call
-- raises:          TM006 the table and the ledger disagree
create or replace function tidemark.read_log(
  after bigint,
  max_events integer,
  types text[] default null,
  after_insert_id bigint default null
)
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_first tidemark.commits;
  v_row tidemark.log_row;
  v_promised bigint;
begin
  select c.*
  into v_first
  from tidemark.commits as c
  where c.position > read_log.after
  order by c.position
  limit 1;

  if not found then
    v_row.position := read_log.after;
    return next v_row;
    return;
  end if;

  if v_first.position - v_first.event_count < read_log.after
    or v_first.position > read_log.after + read_log.max_events
  then
    return query
    select *
    from tidemark.read_commit_part(
      v_first, read_log.after, read_log.max_events, read_log.types, read_log.after_insert_id
    );
    return;
  end if;

  select max(c.position), sum(c.event_count)
  into v_row.position, v_promised
  from tidemark.commits as c
  where c.position > read_log.after
    and c.position <= read_log.after + read_log.max_events;

  if v_promised <> v_row.position - read_log.after then
    perform tidemark.raise_log_inconsistent(v_row.position, v_row.position - read_log.after, v_promised);
  end if;

  return query
  select
    case
      when e.found = c.event_count then c.position - c.event_count + e.rank
      else tidemark.raise_log_inconsistent(c.position, c.event_count, coalesce(e.found, 0))
    end,
    e.insert_id,
    e.stream_id,
    e.version,
    e.event_id,
    e.type,
    e.schema_version,
    e.data,
    e.metadata,
    e.tags,
    e.recorded_at
  from (
    select commits.*
    from tidemark.commits
    where commits.position > read_log.after
      and commits.position <= v_row.position
    order by commits.position
  ) as c
  left join lateral (
    select
      events.*,
      row_number() over (order by events.insert_id) as rank,
      count(*) over () as found
    from tidemark.events
    where events.incarnation = c.incarnation
      and events.transaction_id = c.transaction_id
  ) as e on true
  where e.found is distinct from c.event_count
    or read_log.types is null
    or e.type = any (read_log.types);

  return next v_row;
end
$$;
