-- Finds the position that the log had reached at a time: that of the last commit until then, by the
-- server's clock.
--
-- at:      a time; a commit counts if it was within the millisecond that begins there, because
--          languages whose clocks have milliseconds read its time as that
-- returns: the position, 0 when the log was empty
create or replace function tidemark.position_at_time(at timestamptz)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (
      select c.position
      from tidemark.commits as c
      where c.committed_at < position_at_time.at + interval '1 millisecond'
      order by c.committed_at desc, c.position desc
      limit 1
    ),
    0
  );
$$;
