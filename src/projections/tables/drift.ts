import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { driftOf, type TableShape } from './table-shapes.ts'

interface Version {
  readonly name: string
  readonly version: number
}

/**
 * Notes what the tables of a version are like, to compare with later. To be called whenever the version's
 * own definition has made or changed them.
 */
export async function recordTables(
  client: pg.ClientBase,
  names: LogNames,
  { name, version }: Version,
): Promise<void> {
  await client.query(
    `update ${names.schema}.projections as p
     set tables = (${shapesSql})
     where p.name = $1 and p.version = $2`,
    [name, version],
  )
}

/**
 * Compares the tables of a version with what they were when they were made, in one query of the
 * catalog. Further indexes are welcome.
 *
 * @throws PROJECTION_DRIFTED when somebody changed columns or keys by hand.
 */
export async function requireUnchanged(
  client: pg.ClientBase,
  names: LogNames,
  { name, version }: Version,
): Promise<void> {
  const { rows } = await client.query<{
    readonly expected: readonly TableShape[] | null
    readonly found: readonly TableShape[]
  }>(
    `select p.tables as expected, (${shapesSql}) as found
     from ${names.schema}.projections as p
     where p.name = $1 and p.version = $2`,
    [name, version],
  )
  const [row] = rows
  // Versions that were made before their tables were recorded have nothing to compare with.
  const reason = row?.expected ? driftOf(row.expected, row.found) : undefined
  if (reason === undefined) return
  throw new TidemarkError(
    'PROJECTION_DRIFTED',
    `projection "${name}" version ${version}: somebody changed its tables: ${reason}. ` +
      'Undo it, or raise `version` in its definition and rebuild',
    { details: { projection: name, version, reason } },
  )
}

/** The tables in the schema of a version `p`. Types outside of pg_catalog are spelled with their schema. */
const shapesSql = /* sql */ `
  select coalesce(
    jsonb_agg(
      jsonb_build_object('name', c.relname, 'columns', columns.list, 'keys', keys.list)
      order by c.relname
    ),
    '[]'
  )
  from pg_namespace as n
  join pg_class as c on c.relnamespace = n.oid and c.relkind in ('r', 'p') and not c.relispartition
  cross join lateral (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'name', a.attname,
          'type', case
            when t.typnamespace = 'pg_catalog'::regnamespace then format_type(t.oid, a.atttypmod)
            else concat(t.typnamespace::regnamespace, '.', t.typname)
          end,
          'isNullable', not a.attnotnull,
          'isGenerated', a.attgenerated <> ''
        )
        order by a.attnum
      ),
      '[]'
    ) as list
    from pg_attribute as a
    join pg_type as t on t.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  ) as columns
  cross join lateral (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'isPrimary', i.indisprimary,
          'isPartial', i.indpred is not null,
          'columns', array(
            select coalesce(a.attname::text, '(expression)')
            from unnest(i.indkey) with ordinality as k (attnum, place)
            left join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
            where k.place <= i.indnkeyatts
            order by k.place
          )
        )
        order by i.indexrelid
      ),
      '[]'
    ) as list
    from pg_index as i
    where i.indrelid = c.oid and i.indisunique
  ) as keys
  where n.nspname = p.schema_name`
