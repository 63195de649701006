-- Reads what this transaction has appended and has yet to apply to inline projections.
--
-- returns: for each debt a row with debt_of, debt_version, the types that the version is said to read,
--          and the first and last insert_id of the events; then the events, in their order, as they are
--          stored, each once
create or replace function tidemark.read_inline_debts()
returns table (
  debt_of text,
  debt_version integer,
  types text[],
  first_insert_id bigint,
  last_insert_id bigint,
  insert_id bigint,
  stream_id text,
  version bigint,
  event_id uuid,
  type text,
  schema_version smallint,
  data jsonb,
  metadata jsonb,
  tags text[],
  recorded_at timestamptz
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select d.name, d.version, p.types, d.first_insert_id, d.last_insert_id,
      null::bigint, null::text, null::bigint, null::uuid, null::text, null::smallint, null::jsonb,
      null::jsonb, null::text[], null::timestamptz
    from tidemark.inline_debts as d
    left join tidemark.inline_projections as p on p.name = d.name and p.version = d.version
    where d.transaction_id = pg_current_xact_id_if_assigned()
    order by d.name, d.first_insert_id;
  if not found then
    return;
  end if;

  return query
    -- Ranges overlap when a trigger inserts events while others are inserted.
    select distinct on (e.insert_id)
      null::text, null::integer, null::text[], null::bigint, null::bigint, e.insert_id,
      e.stream_id, e.version, e.event_id, e.type, e.schema_version, e.data, e.metadata, e.tags,
      e.recorded_at
    from (
      select distinct d.first_insert_id, d.last_insert_id
      from tidemark.inline_debts as d
      where d.transaction_id = pg_current_xact_id_if_assigned()
    ) as r
    join tidemark.events as e on e.insert_id between r.first_insert_id and r.last_insert_id
    where e.incarnation = (select q.incarnation from tidemark.sequencer as q)
      and e.transaction_id = pg_current_xact_id_if_assigned()
    order by e.insert_id;
end
$$;
