-- Checks what one statement inserted into the event log, whichever way it came in: versions follow
-- the ones before without a hole, and the transaction id is the inserting transaction's own.
--
-- Looks once per stream, not once per row: versions are unique, so a stream's new rows are without
-- a hole when their count spans them and the version before the first exists.
--
-- returns: null (statement trigger)
-- raises:  TM002 a version leaves a hole; TM003 the transaction id is foreign
create or replace function tidemark.guard_events() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_stream_id text;
begin
  if exists (
    select
    from inserted
    where inserted.transaction_id <> pg_current_xact_id()
  ) then
    raise exception 'the transaction id of an event is that of the transaction which inserts it'
      using errcode = 'TM003', hint = 'Leave transaction_id to its default.';
  end if;

  select s.stream_id
  into v_stream_id
  from (
    select inserted.stream_id, min(inserted.version) as first, max(inserted.version) as last, count(*) as n
    from inserted
    group by inserted.stream_id
  ) as s
  where s.last - s.first + 1 <> s.n
    or (
      s.first > 1
      -- Not "not exists": the planner may hash that, and read the whole log for it.
      and (
        select e.version
        from tidemark.events as e
        where e.stream_id = s.stream_id
          and e.version = s.first - 1
        limit 1
      ) is null
    )
  limit 1;

  if found then
    raise exception 'versions of stream "%" would have a hole', v_stream_id
      using errcode = 'TM002', hint = 'Append through tidemark.append.';
  end if;
  return null;
end
$$;
