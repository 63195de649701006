-- Gives a relay its checkpoint, unless it has one. It begins with no message that retention may be removing.
--
-- name:  its name
-- after: position after which it begins, or the first that is left; null: what is published from now on
-- locks: the outbox's retention, until the end of the transaction
create or replace function tidemark.begin_relay(name text, after bigint) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from tidemark.subscriptions as s
    where s.kind = 'relay'
      and s.name = begin_relay.name
  ) then
    return;
  end if;
  perform pg_advisory_xact_lock('tidemark.outbox_commits'::regclass::oid::bigint);

  -- A statement of its own, so that its snapshot is taken after the lock was granted.
  insert into tidemark.subscriptions as s (kind, name, version, position)
  select
    'relay',
    begin_relay.name,
    1,
    case
      when begin_relay.after is null then q.outbox_position
      else least(
        q.outbox_position,
        greatest(
          begin_relay.after,
          coalesce(
            (
              select c.position - c.message_count
              from tidemark.outbox_commits as c
              order by c.position
              limit 1
            ),
            q.outbox_position
          )
        )
      )
    end
  from tidemark.sequencer as q
  on conflict do nothing;
end
$$;
