import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { AnyProjection } from '../projection.ts'
import { definitionHash } from './ddl.ts'
import { driftOf, type TableShape } from './table-shapes.ts'

interface Version {
  readonly name: string
  readonly version: number
}

/** A version and what it is: `building`, `live` and so on. */
interface Stage extends Version {
  readonly state: string
}

/** What the database says of a version. */
interface ExistingVersion extends Stage {
  readonly definitionHash: string
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

/** In what the tables of a version are not those that its definition declares, and what to do about it. */
export interface Drift {
  readonly reason: string
  readonly remedy: string
}

/**
 * Compares the tables of a version with what its definition declares now, and with what they were like when
 * they were made, in one query of the catalog. Further indexes are welcome.
 *
 * @returns undefined when all is well.
 */
export async function findDrift(
  connection: Connection,
  names: LogNames,
  projection: AnyProjection,
  existing: ExistingVersion,
): Promise<Drift | undefined> {
  if (existing.definitionHash !== definitionHash(projection)) return declaredOtherwise(existing)
  return findChange(connection, names, existing)
}

/** Says that the definition is not the one that made the tables. */
export function declaredOtherwise(existing: Stage): Drift {
  const reason = 'its tables are declared otherwise than they were made'
  return { reason, remedy: remedyFor(existing) }
}

/**
 * Does the same without a definition.
 *
 * @throws PROJECTION_DRIFTED when somebody changed columns or keys by hand.
 */
export async function requireUnchanged(
  connection: Connection,
  names: LogNames,
  existing: Stage,
): Promise<void> {
  const drift = await findChange(connection, names, existing)
  if (drift !== undefined) throw drifted(existing, drift)
}

/** Says that a version has drifted. */
export function drifted(
  { name, version }: Version,
  { reason, remedy }: Drift,
): TidemarkError<'PROJECTION_DRIFTED'> {
  return new TidemarkError(
    'PROJECTION_DRIFTED',
    `projection "${name}" version ${version}: ${reason}: ${remedy}`,
    { details: { projection: name, version, reason } },
  )
}

async function findChange(
  connection: Connection,
  names: LogNames,
  existing: Stage,
): Promise<Drift | undefined> {
  const [row] = await run<ShapesRow>(connection, {
    text: `
      select p.tables as expected, (${shapesSql}) as found
      from ${names.schema}.projections as p
      where p.name = $1 and p.version = $2`,
    values: [existing.name, existing.version],
  })
  // Versions that were made before their tables were recorded have nothing to compare with.
  const change = row?.expected ? driftOf(row.expected, row.found) : undefined
  if (change === undefined) return undefined
  return {
    reason: `somebody changed its tables: ${change}`,
    remedy: `undo it, or ${remedyFor(existing)}`,
  }
}

/** The live version can only be replaced; any other one can be dropped. */
function remedyFor({ name, version, state }: Stage): string {
  const raise = 'raise `version` in its definition'
  if (state === 'live') return `${raise} and rebuild`
  return `${raise}, or run \`tidemark drop ${name} --version ${version}\`, and rebuild`
}

interface ShapesRow {
  readonly expected: readonly TableShape[] | null
  readonly found: readonly TableShape[]
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
