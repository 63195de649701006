-- Reads the outbox in its one order: a run of messages after a position, then one row that ends the run.
--
-- after:           position after which to read
-- max_messages:    how many positions the run covers at most
-- topics:          patterns (see topic_matches) of which a message has to match one; null for all
-- after_insert_id: insert_id of the row that ended the run before, so that the rows of a large commit
--                  need not be counted again; null when not known
-- returns:         messages, ascending by position; then a row without an id whose position is the end of
--                  the run (equal to after when there is nothing to read) and whose insert_id is the
--                  after_insert_id for the next call
-- raises:          TM006 the table and the ledger disagree
create or replace function tidemark.read_outbox(
  after bigint,
  max_messages integer,
  topics text[] default null,
  after_insert_id bigint default null
)
returns table (
  "position" bigint,
  insert_id bigint,
  message_id uuid,
  topic text,
  key text,
  data jsonb,
  headers jsonb,
  recorded_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_first tidemark.outbox_commits;
  v_start bigint;
  v_end bigint;
  v_promised bigint;
  v_held bigint;
  v_before bigint := 0;
  v_skip bigint := 0;
  v_last bigint;
  v_regexes text[] := array(
    select tidemark.topic_regex(t.pattern)
    from unnest(read_outbox.topics) as t (pattern)
  );
begin
  select c.*
  into v_first
  from tidemark.outbox_commits as c
  where c.position > read_outbox.after
  order by c.position
  limit 1;

  if not found then
    return query select read_outbox.after, null::bigint, null::uuid, null, null, null::jsonb,
      null::jsonb, null::timestamptz;
    return;
  end if;

  v_start := v_first.position - v_first.message_count;
  if v_start > read_outbox.after then
    perform tidemark.raise_outbox_inconsistent(v_start, v_start - read_outbox.after, 0);
  end if;

  if v_start < read_outbox.after or v_first.position > read_outbox.after + read_outbox.max_messages then
    -- Part of one commit.
    v_end := least(v_first.position, read_outbox.after + read_outbox.max_messages);
    v_promised := v_end - read_outbox.after;
    -- At its first part the hint would be about the commit before, whose insert ids may be larger.
    if v_start < read_outbox.after and read_outbox.after_insert_id is not null then
      v_before := read_outbox.after_insert_id;
    else
      v_skip := read_outbox.after - v_start;
    end if;
    select count(*), max(p.insert_id)
    into v_held, v_last
    from (
      select o.insert_id
      from tidemark.outbox as o
      where o.incarnation = v_first.incarnation
        and o.transaction_id = v_first.transaction_id
        and o.insert_id > v_before
      order by o.insert_id
      offset v_skip
      limit v_promised
    ) as p;
    if v_held <> v_promised then
      perform tidemark.raise_outbox_inconsistent(v_end, v_promised, v_held);
    end if;
    return query
    select p.position, p.insert_id, p.message_id, p.topic, p.key, p.data, p.headers, p.recorded_at
    from (
      select o.*, read_outbox.after + row_number() over (order by o.insert_id) as position
      from (
        select outbox.*
        from tidemark.outbox
        where outbox.incarnation = v_first.incarnation
          and outbox.transaction_id = v_first.transaction_id
          and outbox.insert_id > v_before
          and outbox.insert_id <= v_last
        order by outbox.insert_id
        offset v_skip
      ) as o
    ) as p
    where read_outbox.topics is null
      or '.' || p.topic ~ any (v_regexes)
    order by p.position;
  else
    select max(c.position), sum(c.message_count)
    into v_end, v_promised
    from tidemark.outbox_commits as c
    where c.position > read_outbox.after
      and c.position <= read_outbox.after + read_outbox.max_messages;
    if v_promised <> v_end - read_outbox.after then
      perform tidemark.raise_outbox_inconsistent(v_end, v_end - read_outbox.after, v_promised);
    end if;
    return query
    select
      case
        when m.held = c.message_count then c.position - c.message_count + m.rank
        else tidemark.raise_outbox_inconsistent(c.position, c.message_count, coalesce(m.held, 0))
      end,
      m.insert_id,
      m.message_id,
      m.topic,
      m.key,
      m.data,
      m.headers,
      m.recorded_at
    from (
      select outbox_commits.*
      from tidemark.outbox_commits
      where outbox_commits.position > read_outbox.after
        and outbox_commits.position <= v_end
      order by outbox_commits.position
    ) as c
    left join lateral (
      select
        outbox.*,
        row_number() over (order by outbox.insert_id) as rank,
        count(*) over () as held
      from tidemark.outbox
      where outbox.incarnation = c.incarnation
        and outbox.transaction_id = c.transaction_id
    ) as m on true
    where m.held is distinct from c.message_count
      or read_outbox.topics is null
      or '.' || m.topic ~ any (v_regexes);
  end if;

  return query select v_end, v_last, null::uuid, null, null, null::jsonb, null::jsonb, null::timestamptz;
end
$$;
