-- Reads a page of the log through an index. See read_matching, whose parameters and result these are.
--
-- Brings what it finds into the order of the log, by a look-up in the ledger for each event. Not by a
-- join of the planner's choice: that may be of the whole ledger.
--
-- index_name: what choose_index returned for max_entries
create or replace function tidemark.read_found(
  index_name text,
  after bigint,
  max_events integer,
  max_entries integer,
  types text[],
  category text,
  tags text[],
  correlation_id text,
  recorded_from timestamptz,
  recorded_to timestamptz,
  after_insert_id bigint
)
returns setof tidemark.log_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_begun tidemark.commits;
  v_after_insert_id bigint := 0;
  v_keys tidemark.event_key[];
  v_row tidemark.log_row;
  v_end tidemark.log_row;
begin
  v_end.type := read_found.index_name;
  select coalesce(max(c.position), 0)
  into v_end.position
  from tidemark.commits as c;
  v_end.position := greatest(v_end.position, read_found.after);

  -- The commit that the position lies in, and how far it has been read.
  select c.*
  into v_begun
  from tidemark.commits as c
  where c.position > read_found.after
  order by c.position
  limit 1;
  if not found then
    return next v_end;
    return;
  end if;
  if v_begun.position - v_begun.event_count < read_found.after then
    v_after_insert_id := read_found.after_insert_id;
    if v_after_insert_id is null then
      select e.insert_id
      into v_after_insert_id
      from tidemark.events as e
      where e.incarnation = v_begun.incarnation
        and e.transaction_id = v_begun.transaction_id
      order by e.insert_id
      offset read_found.after - (v_begun.position - v_begun.event_count) - 1
      limit 1;
    end if;
  end if;

  select array_agg(k.key)
  into v_keys
  from (
    select row(i.incarnation, i.transaction_id, i.insert_id)::tidemark.event_key as key
    from tidemark.find_by_index(
      read_found.index_name,
      read_found.max_entries,
      read_found.types,
      read_found.category,
      read_found.tags,
      read_found.correlation_id,
      read_found.recorded_from,
      read_found.recorded_to
    ) as i
    cross join lateral (
      select commits.position
      from tidemark.commits
      where commits.incarnation = i.incarnation
        and commits.transaction_id = i.transaction_id
      offset 0
    ) as c
    where c.position > v_begun.position
      or (c.position = v_begun.position and i.insert_id > v_after_insert_id)
    order by c.position, i.insert_id
    limit read_found.max_events
  ) as k;

  for v_row in
    select r.*
    from tidemark.read_keys(v_keys) as r
  loop
    return next v_row;
  end loop;
  if cardinality(v_keys) = read_found.max_events then
    v_end.position := v_row.position;
    v_end.insert_id := v_row.insert_id;
  end if;
  return next v_end;
end
$$;
