-- Tells whether two appends are the same: what is appended where. Ids and metadata are left out,
-- because a retry may make them anew.
--
-- stream_ids: per event: its stream
-- types, schema_versions, data, tags: as in append_stream
-- returns:    SHA-256
create or replace function tidemark.append_fingerprint(
  stream_ids text[],
  types text[],
  schema_versions smallint[],
  data text[],
  tags text[]
) returns bytea
language sql
immutable
set search_path = pg_catalog, pg_temp
return sha256(
  convert_to(
    jsonb_build_array(
      stream_ids,
      types,
      schema_versions,
      data::jsonb[],
      -- Read, because one array can be written in several ways: {a} and {"a"}.
      array(
        select to_jsonb(coalesce(n.tags::text[], '{}'))
        from unnest(types, tags) with ordinality as n (type, tags, ordinality)
        order by n.ordinality
      )
    )::text,
    'UTF8'
  )
);
