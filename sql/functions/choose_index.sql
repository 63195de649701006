-- Chooses the index by which a filtered read of the log finds its events: the first that holds few
-- entries for its condition. Counts no further than that.
--
-- max_entries:    how many entries are few
-- types, category, tags, correlation_id, recorded_from, recorded_to: see event_matches
-- returns:        correlation, tag, category, type or time; period when there are more events of that time,
--                 but not so many that it is not worth while to look where they begin and end in the
--                 log; null when there is none: read the log
create or replace function tidemark.choose_index(
  max_entries integer,
  types text[],
  category text,
  tags text[],
  correlation_id text,
  recorded_from timestamptz,
  recorded_to timestamptz
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- Statistics may be of yesterday, when the log was a tenth as long. A bitmap would be made in whole
-- before the first entry is counted.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  -- To look at an event's transaction id costs an eighth of bringing the event in order.
  v_period_factor constant bigint := 8;
  v_entries bigint;
begin
  if cardinality(choose_index.types) = 0 then
    return 'type';
  end if;

  if choose_index.correlation_id is not null then
    select count(*)
    into v_entries
    from (
      select
      from tidemark.events as e
      where e.metadata ->> 'correlationId' = choose_index.correlation_id
        and octet_length(e.metadata ->> 'correlationId') <= 500
      limit choose_index.max_entries + 1
    ) as c;
    if v_entries <= choose_index.max_entries then
      return 'correlation';
    end if;
  end if;

  if tidemark.choose_tag(choose_index.tags, choose_index.max_entries) is not null then
    return 'tag';
  end if;

  if choose_index.category is not null then
    select count(*)
    into v_entries
    from (
      select
      from tidemark.events as e
      where e.stream_id >= choose_index.category || '-'
        and e.stream_id < choose_index.category || '.'
      limit choose_index.max_entries + 1
    ) as c;
    if v_entries <= choose_index.max_entries then
      return 'category';
    end if;
  end if;

  -- There is no such index unless somebody made one: see docs/decisions/0011.
  if choose_index.types is not null and exists (
    select
    from pg_index as i
    join pg_attribute as a
      on a.attrelid = i.indrelid
      and a.attnum = i.indkey[0]
    where i.indrelid = 'tidemark.events'::regclass
      and i.indisvalid
      and i.indpred is null
      and a.attname = 'type'
  ) then
    select count(*)
    into v_entries
    from (
      select
      from tidemark.events as e
      where e.type = any (choose_index.types)
      limit choose_index.max_entries + 1
    ) as c;
    if v_entries <= choose_index.max_entries then
      return 'type';
    end if;
  end if;

  if coalesce(choose_index.recorded_from, choose_index.recorded_to) is not null then
    v_entries := tidemark.count_recorded(
      choose_index.recorded_from,
      choose_index.recorded_to,
      choose_index.max_entries * v_period_factor + 1
    );
    if v_entries <= choose_index.max_entries then
      return 'time';
    elsif v_entries <= choose_index.max_entries * v_period_factor then
      return 'period';
    end if;
  end if;
  return null;
end
$$;
