-- Reads part of one large commit. See read_log, whose parameters and result these are.
--
-- commit: the commit that covers the position after read_commit_part.after
create or replace function tidemark.read_commit_part(
  commit tidemark.commits,
  after bigint,
  max_events integer,
  types text[],
  after_insert_id bigint
)
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_end tidemark.log_row;
  v_part tidemark.log_row[];
  v_start bigint := (read_commit_part.commit).position - (read_commit_part.commit).event_count;
  v_after_insert_id bigint;
begin
  if v_start > read_commit_part.after then
    perform tidemark.raise_log_inconsistent(v_start, v_start - read_commit_part.after, 0);
  end if;
  -- At its first part the hint would be about the commit before, whose insert ids may be larger.
  if read_commit_part.after > v_start then
    v_after_insert_id := read_commit_part.after_insert_id;
  end if;
  v_end.position := least(
    (read_commit_part.commit).position,
    read_commit_part.after + read_commit_part.max_events
  );

  select array_agg(
    row(
      read_commit_part.after + p.rank,
      p.insert_id,
      p.stream_id,
      p.version,
      p.event_id,
      p.type,
      p.schema_version,
      p.data,
      p.metadata,
      p.tags,
      p.recorded_at
    )::tidemark.log_row
    order by p.rank
  )
  into v_part
  from (
    select e.*, row_number() over (order by e.insert_id) as rank
    from (
      select events.*
      from tidemark.events
      where events.incarnation = (read_commit_part.commit).incarnation
        and events.transaction_id = (read_commit_part.commit).transaction_id
        and events.insert_id > coalesce(v_after_insert_id, 0)
      order by events.insert_id
      offset case
        when v_after_insert_id is null then read_commit_part.after - v_start
        else 0
      end
      limit v_end.position - read_commit_part.after
    ) as e
  ) as p;

  if coalesce(cardinality(v_part), 0) <> v_end.position - read_commit_part.after then
    perform tidemark.raise_log_inconsistent(
      v_end.position, v_end.position - read_commit_part.after, coalesce(cardinality(v_part), 0)
    );
  end if;

  -- The last part also looks whether the table holds more than the ledger promises.
  if v_end.position = (read_commit_part.commit).position
    and exists (
      select
      from tidemark.events
      where events.incarnation = (read_commit_part.commit).incarnation
        and events.transaction_id = (read_commit_part.commit).transaction_id
        and events.insert_id > (v_part[cardinality(v_part)]).insert_id
    )
  then
    perform tidemark.raise_log_inconsistent(
      v_end.position,
      (read_commit_part.commit).event_count,
      (read_commit_part.commit).event_count + 1
    );
  end if;

  return query
  select p.*
  from unnest(v_part) as p
  where read_commit_part.types is null
    or p.type = any (read_commit_part.types);

  v_end.insert_id := (v_part[cardinality(v_part)]).insert_id;
  return next v_end;
end
$$;
