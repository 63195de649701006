-- Seals the next run of sequenced events: continues the hash chain by their hashes and writes one
-- row with where it has come to. What the chain is at a position depends on the log alone, not on
-- how it was divided into runs, so that a seal that was lost with a crash is written again the same.
--
-- max_events: how many events the run covers at most; 10,000 if it is more
-- returns:    sealed: events of the run, 0 when there are none; null when another session is sealing;
--             last_position: position of the last seal now; null when another session is sealing
-- raises:     TM006 the table and the ledger disagree: nothing was written
--             23505 on seals_previous_hash_key: the chain would fork
-- locks:      the row of seal_head, until the end of the transaction; nothing else waits for it
create or replace function tidemark.seal_events(
  max_events integer,
  out sealed integer,
  out last_position bigint
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_head tidemark.seal_head;
  v_upto bigint;
  v_hash bytea;
  v_hashes bytea[];
  v_positions bigint[];
  v_digests bytea;
  v_insert_id bigint;
  v_event_hash bytea;
begin
  select h.*
  into v_head
  from tidemark.seal_head as h
  for update skip locked;
  if not found then
    return;
  end if;

  -- A statement of its own, so that it sees what is committed after the lock was granted.
  select least(s.position, v_head.position + least(seal_events.max_events, 10000))
  into v_upto
  from tidemark.sequencer as s;
  seal_events.sealed := greatest(v_upto - v_head.position, 0);
  seal_events.last_position := v_head.position;
  if seal_events.sealed = 0 then
    return;
  end if;

  select
    array_agg(e.hash order by e.position),
    array_agg(e.position order by e.position),
    string_agg(substr(e.hash, 1, 8), '' order by e.position),
    (array_agg(e.insert_id order by e.position desc))[1]
  into v_hashes, v_positions, v_digests, v_insert_id
  from tidemark.hash_events(v_head.position, v_upto, v_head.insert_id) as e;

  if v_positions is distinct from array(
    select g.position
    from generate_series(v_head.position + 1, v_upto) as g (position)
  ) then
    perform tidemark.raise_log_inconsistent(
      v_upto, v_upto - v_head.position, coalesce(cardinality(v_positions), 0)
    );
  end if;

  v_hash := v_head.hash;
  foreach v_event_hash in array v_hashes loop
    v_hash := sha256(v_hash || v_event_hash);
  end loop;

  insert into tidemark.seals (position, event_count, previous_hash, hash, digests)
  values (v_upto, seal_events.sealed, v_head.hash, v_hash, v_digests);

  update tidemark.seal_head as h
  set
    position = v_upto,
    hash = v_hash,
    insert_id = v_insert_id;
  seal_events.last_position := v_upto;
end
$$;
