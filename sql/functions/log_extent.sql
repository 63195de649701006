-- Tells where the run of the log ends that read_log would return.
--
-- after:      position after which to read
-- max_events: how many positions the run covers at most
-- returns:    end of the run; equal to after when there is nothing to read
-- raises:     TM006 the ledger does not give every position once
create or replace function tidemark.log_extent(after bigint, max_events integer)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_first tidemark.commits;
  v_end bigint;
  v_promised bigint;
begin
  select c.*
  into v_first
  from tidemark.commits as c
  where c.position > log_extent.after
  order by c.position
  limit 1;

  if not found then
    return log_extent.after;
  end if;

  if v_first.position - v_first.event_count > log_extent.after then
    perform tidemark.raise_log_inconsistent(
      v_first.position - v_first.event_count,
      v_first.position - v_first.event_count - log_extent.after,
      0
    );
  end if;

  -- Part of one commit.
  if v_first.position - v_first.event_count < log_extent.after
    or v_first.position > log_extent.after + log_extent.max_events
  then
    return least(v_first.position, log_extent.after + log_extent.max_events);
  end if;

  select max(c.position), sum(c.event_count)
  into v_end, v_promised
  from tidemark.commits as c
  where c.position > log_extent.after
    and c.position <= log_extent.after + log_extent.max_events;

  if v_promised <> v_end - log_extent.after then
    perform tidemark.raise_log_inconsistent(v_end, v_end - log_extent.after, v_promised);
  end if;

  return v_end;
end
$$;
