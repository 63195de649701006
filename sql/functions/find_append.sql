-- Finds what an append under a key has done before.
--
-- key:         the key
-- fingerprint: of the append at hand, see append_fingerprint
-- returns:     no row when the key is new; else outcome: replayed, or key reused when the key belongs
--              to another append, and then the rest is null;
--              versions, incarnation, transaction_id: what the append gave
create or replace function tidemark.find_append(
  key text,
  fingerprint bytea,
  out outcome text,
  out versions bigint[],
  out incarnation smallint,
  out transaction_id xid8
) returns setof record
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    case when s.is_same then 'replayed' else 'key reused' end,
    case when s.is_same then k.versions end,
    case when s.is_same then k.incarnation end,
    case when s.is_same then k.transaction_id end
  from tidemark.append_keys as k
  cross join lateral (select k.fingerprint = find_append.fingerprint as is_same) as s
  where k.key = find_append.key
$$;
