import type pg from 'pg'

/**
 * Lists every row of the database's own catalogs with the transaction that wrote it last, so that a
 * change of anything shows, and so does an object that was dropped and made again. What autovacuum
 * and `analyze` write is left out.
 */
export async function listCatalogRows(client: pg.ClientBase | pg.Pool): Promise<string[]> {
  const { rows: catalogs } = await client.query<{ name: string }>(/* sql */ `
    select relname as name
    from pg_class
    where relnamespace = 'pg_catalog'::regnamespace
      and relkind = 'r'
      and not relisshared
      and relname not in ('pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject')
    order by relname`)
  const lists = catalogs.map(
    ({ name }) => /* sql */ `
      select '${name} ' || coalesce(to_jsonb(t) ->> 'oid', to_jsonb(t)::text) || ' written by ' || t.xmin as row
      from pg_catalog.${name} as t`,
  )
  const { rows } = await client.query<{ row: string }>(`${lists.join(' union all ')} order by 1`)
  return rows.map(({ row }) => row)
}

/**
 * Lists the objects that are outside of the given schemas, by name, and the settings of the
 * database and its roles. Publications are not in any schema.
 */
export async function listObjectsOutside(
  client: pg.ClientBase | pg.Pool,
  schemas: readonly string[],
): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    /* sql */ `
    with objects as (
      select classid, objid
      from (
        select 'pg_class'::regclass, oid from pg_class
        union all select 'pg_proc'::regclass, oid from pg_proc
        union all select 'pg_type'::regclass, oid from pg_type
        union all select 'pg_constraint'::regclass, oid from pg_constraint
        union all select 'pg_trigger'::regclass, oid from pg_trigger
        union all select 'pg_operator'::regclass, oid from pg_operator
        union all select 'pg_cast'::regclass, oid from pg_cast
        union all select 'pg_namespace'::regclass, oid from pg_namespace
        union all select 'pg_extension'::regclass, oid from pg_extension
        union all select 'pg_language'::regclass, oid from pg_language
        union all select 'pg_event_trigger'::regclass, oid from pg_event_trigger
        union all select 'pg_default_acl'::regclass, oid from pg_default_acl
        union all select 'pg_publication'::regclass, oid from pg_publication
      ) as o (classid, objid)
    )
    select i.type || ' ' || i.identity as object
    from objects as o
    cross join lateral pg_identify_object(o.classid, o.objid, 0) as i
    where not (coalesce(i.schema, '') = any ($1) or i.type = 'schema' and i.identity = any ($1))
      and not exists (
        select
        from unnest($1::text[]) as own (schema)
        where i.identity like '% on ' || own.schema || '.%'
      )
      and coalesce(i.schema, '') <> 'pg_toast'
    union all
    select format('setting %s of role %s', s.setconfig, s.setrole)
    from pg_db_role_setting as s
    where s.setdatabase = (select oid from pg_database where datname = current_database())
    order by 1`,
    [schemas],
  )
  return rows.map(({ object }) => object)
}
