import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { AnyProjection } from '../projection.ts'
import { versionSchema } from '../tables/ddl.ts'
import { type Drift, drifted, findDrift } from '../tables/drift.ts'
import { unknownProjection, unknownVersion } from '../versions/switch-version.ts'
import { listVersions } from '../versions/versions.ts'

interface Column {
  readonly table: string
  readonly column: string
  readonly type: string
}

/**
 * Compares the tables and columns that a definition declares with those that its queries will find, in the
 * views on the live version or in the tables of the defined one: a query of code that is older or newer
 * than the live version should fail with a reason, and at once. More columns and tables are welcome.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN when there is nothing yet.
 * @throws PROJECTION_DRIFTED when a table or column is missing, or a column has another type.
 */
export async function requireReadable(
  connection: Connection,
  names: LogNames,
  projection: AnyProjection,
  from: 'live' | 'defined',
): Promise<void> {
  const schema = from === 'live' ? projection.viewSchema : versionSchema(projection)
  const missing = await findMissing(connection, schema, declaredColumns(projection))
  if (missing === undefined) return
  const versions = await listVersions(connection, names)
  const own = versions.filter(({ name }) => name === projection.name)
  if (own.length === 0) {
    throw unknownProjection(projection.name, [...new Set(versions.map(({ name }) => name))])
  }
  const { name, version } = projection
  const read = own.find((one) => (from === 'live' ? one.state === 'live' : one.version === version))
  if (read === undefined) throw unknownVersion(name, version)
  const which = from === 'live' ? `its live version ${read.version}` : 'its schema'
  if (read.version === version) {
    const { reason, remedy } = (await findDrift(connection, names, projection, read)) ?? lostViews
    throw drifted(projection, { reason: `${which} has ${missing}, because ${reason}`, remedy })
  }
  const reason = `${which} has ${missing}: this code declares version ${version}`
  throw new TidemarkError('PROJECTION_DRIFTED', `projection "${name}": ${reason}`, {
    details: { projection: name, version, reason },
  })
}

/** What it is when the tables are as they were made. */
const lostViews: Drift = {
  reason: 'somebody changed its views',
  remedy: 'raise `version` in its definition, rebuild and promote it',
}

function declaredColumns({ tables }: AnyProjection): readonly Column[] {
  return Object.entries(tables).flatMap(([table, { columns }]) =>
    Object.entries(columns).map(([column, { spec }]) => ({ table, column, type: spec.sqlType })),
  )
}

async function findMissing(
  connection: Connection,
  schema: string,
  declared: readonly Column[],
): Promise<string | undefined> {
  const [row] = await run<Column & { found: string | null }>(connection, {
    text: /* sql */ `
    select d.table_name as table, d.column_name as column, d.type,
      format_type(a.atttypid, null) as found
    from unnest($2::text[], $3::text[], $4::text[]) with ordinality
      as d (table_name, column_name, type, place)
    left join pg_namespace as n on n.nspname = $1
    left join pg_class as c on c.relnamespace = n.oid and c.relname = d.table_name
    left join pg_attribute as a
      on a.attrelid = c.oid and a.attname = d.column_name and a.attnum > 0 and not a.attisdropped
    where a.atttypid is distinct from to_regtype(d.type)
    order by d.place
    limit 1`,
    values: [
      schema,
      declared.map(({ table }) => table),
      declared.map(({ column }) => column),
      declared.map(({ type }) => type),
    ],
  })
  if (row === undefined) return undefined
  const name = `column "${row.column}" in "${row.table}"`
  return row.found === null ? `no ${name}` : `${name} as ${row.found} instead of ${row.type}`
}
