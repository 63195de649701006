-- Ends a job that keeps its order, so that the next one of its lane may be enqueued.
--
-- lane:    its lane
-- key:     which job of it
-- returns: what graphile-worker is to be given next; null when the lane has no more, or when the job
--          had been ended before
-- locks:   the lane, until the end of the transaction
create or replace function tidemark.end_ordered_job(lane text, key text) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_spec jsonb;
begin
  perform
  from tidemark.job_lanes as l
  where l.lane = end_ordered_job.lane
  for update;

  delete from tidemark.ordered_jobs as o
  where o.lane = end_ordered_job.lane
    and o.key = end_ordered_job.key;
  if not found then
    return null;
  end if;

  -- A statement of its own: it sees what was added before the lane was locked.
  select o.spec
  into v_spec
  from tidemark.ordered_jobs as o
  where o.lane = end_ordered_job.lane
  order by o.sequence
  limit 1;
  if not found then
    delete from tidemark.job_lanes as l
    where l.lane = end_ordered_job.lane;
  end if;
  return v_spec;
end
$$;
