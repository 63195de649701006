-- Hashes the events of a range of positions, each by itself. The canonical form that is hashed is
-- described in docs/integrity.md; `tidemark verify` has a statement of its own for it, because it
-- trusts no function of the log's schema.
--
-- after:           position after which the range begins
-- upto:            position where it ends
-- after_insert_id: insert_id of the event at position after, so that a commit which began before it
--                  need not be counted from its start; null when not known
-- returns:         position, insert_id and hash of each event, in no order. An event that the ledger
--                  does not promise has a position like another's; one that is missing leaves none
create or replace function tidemark.hash_events(
  after bigint,
  upto bigint,
  after_insert_id bigint
)
returns table ("position" bigint, insert_id bigint, hash bytea)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    c.first_position + e.rank - 1,
    e.insert_id,
    sha256(convert_to(
      json_build_array(
        c.first_position + e.rank - 1,
        e.stream_id,
        e.version,
        e.event_id,
        e.type,
        e.schema_version,
        e.data,
        e.metadata,
        e.tags,
        trunc(extract(epoch from e.recorded_at) * 1000000),
        trunc(extract(epoch from c.committed_at) * 1000000),
        e.incarnation,
        e.transaction_id::text
      )::text,
      'UTF8'
    ))
  from (
    select
      commits.*,
      greatest(commits.position - commits.event_count, hash_events.after) + 1 as first_position,
      least(commits.position, hash_events.upto) as last_position,
      commits.position - commits.event_count < hash_events.after as is_begun
    from tidemark.commits
    where commits.position > hash_events.after
      and commits.position <= (
        select coalesce(min(l.position), hash_events.upto)
        from tidemark.commits as l
        where l.position >= hash_events.upto
      )
    order by commits.position
  ) as c
  cross join lateral (
    select p.*, row_number() over (order by p.insert_id) as rank
    from (
      select events.*
      from tidemark.events
      where events.incarnation = c.incarnation
        and events.transaction_id = c.transaction_id
        -- Not zero: an event that somebody added may have any id.
        and events.insert_id > case
          when c.is_begun and hash_events.after_insert_id is not null
            then hash_events.after_insert_id
          else '-9223372036854775808'
        end
      order by events.insert_id
      offset case
        when c.is_begun and hash_events.after_insert_id is null
          then hash_events.after - (c.position - c.event_count)
        else 0
      end
      -- One more than is promised shows whether there is more than is promised.
      limit c.last_position - c.first_position + 1 + (c.position <= hash_events.upto)::integer
    ) as p
  ) as e
$$;
