import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { advisoryLockKey, type LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { transaction } from '../../db/transaction.ts'
import { createCheckpoint } from '../../subscriptions/checkpoint.ts'
import { projectionSubscription } from '../lanes/projection-subscriber.ts'
import { recordDefinition } from '../lanes/record-definition.ts'
import type { AnyProjection } from '../projection.ts'
import { requirePartitionable } from '../tables/check-partitions.ts'
import { definitionHash, versionSchema } from '../tables/ddl.ts'
import { drifted, findDrift, recordTables } from '../tables/drift.ts'
import { buildIndexes, buildTables } from '../tables/run-ddl.ts'
import { showVersion } from '../views/views.ts'
import { createOwnedSchema } from './owned-schema.ts'

/**
 * What becomes of a version: `building` (reads the log from the start), `ready` (has caught up and
 * follows), `live` (what the views show), `standby` (was live, still follows), `retired`.
 */
export type ProjectionState = 'building' | 'ready' | 'live' | 'standby' | 'retired'

/** One version of a projection, as the database knows it. */
export interface ProjectionVersion {
  readonly name: string
  readonly version: number
  readonly state: ProjectionState
  readonly schemaName: string
  readonly viewSchema: string
  readonly definitionHash: string
  /** Its rows come from the events after this position alone; 0: from the whole log. */
  readonly startPosition: bigint
  readonly changedAt: Date
  /** Whether appends apply it themselves. */
  readonly isInline: boolean
}

interface Row {
  readonly name: string
  readonly version: number
  readonly state: ProjectionState
  readonly schema_name: string
  readonly view_schema: string
  readonly definition_hash: string
  readonly start_position: string
  readonly changed_at: Date
  readonly is_inline: boolean
}

/** Lists the versions of all projections, or of one. */
export async function listVersions(
  connection: Connection,
  names: LogNames,
  name?: string,
): Promise<readonly ProjectionVersion[]> {
  const rows = await run<Row>(connection, {
    text: /* sql */ `
      select name, version, state, schema_name, view_schema, definition_hash,
        start_position::text, changed_at,
        exists (
          select
          from ${names.schema}.inline_projections as i
          where i.name = p.name and i.version = p.version
        ) as is_inline
      from ${names.schema}.projections as p
      where $1::text is null or name = $1
      order by name, version`,
    values: [name ?? null],
  })
  return rows.map((row) => ({
    name: row.name,
    version: row.version,
    state: row.state,
    schemaName: row.schema_name,
    viewSchema: row.view_schema,
    definitionHash: row.definition_hash,
    startPosition: BigInt(row.start_position),
    changedAt: row.changed_at,
    isInline: row.is_inline,
  }))
}

/** Tells a version from what it was before it was reset, or dropped and made anew; undefined when it is gone. */
export async function readIdentity(
  connection: Connection,
  names: LogNames,
  { name, version }: { readonly name: string; readonly version: number },
): Promise<string | undefined> {
  const [row] = await run<{ identity: string }>(connection, {
    text: /* sql */ `
      select concat_ws(' ', p.created_at, p.reset_at) as identity
      from ${names.schema}.projections as p
      where p.name = $1 and p.version = $2`,
    values: [name, version],
  })
  return row?.identity
}

/** Which versions to create: any, a projection's first alone, or none. */
export type VersionsToCreate = 'any' | 'first' | 'none'

/**
 * Creates the version that a definition describes, unless it exists: the first version of a
 * projection as the live one, a later one as `building` beside the live one.
 *
 * @param partitions into how many parts it is divided at first. Default: as its definition says.
 * @returns the version, or undefined when it does not exist and was not to be created.
 * @throws PROJECTION_DRIFTED when the version exists with other tables: raise the version; or when
 *   somebody changed its tables by hand.
 * @throws SCHEMA_FOREIGN when a schema of the name exists that tidemark did not create.
 */
export async function ensureVersion(
  pool: pg.Pool,
  names: LogNames,
  projection: AnyProjection,
  create: VersionsToCreate,
  partitions: number = projection.partitions,
): Promise<ProjectionVersion | undefined> {
  return transaction(pool, async (client) => {
    await lockProjection(client, names, projection.name)
    const versions = await listVersions(client, names, projection.name)
    const existing = versions.find((version) => version.version === projection.version)
    if (existing !== undefined) {
      const drift = await findDrift(client, names, projection, existing)
      if (drift !== undefined) throw drifted(existing, drift)
      await recordDefinition(client, names, projection)
      return existing
    }
    const isFirst = !versions.some((version) => version.state !== 'retired')
    if (create === 'none' || (create === 'first' && !isFirst)) return undefined
    await createVersion(client, names, projection, isFirst ? 'live' : 'building', partitions)
    const created = await listVersions(client, names, projection.name)
    return created.find((version) => version.version === projection.version)
  })
}

/** Serialises what changes the versions of one projection, until the end of the transaction. */
export async function lockProjection(
  client: pg.ClientBase,
  names: LogNames,
  name: string,
): Promise<void> {
  const key = advisoryLockKey(names.schema, `projection:${name}`).toString()
  await client.query('select pg_advisory_xact_lock($1)', [key])
}

/** Moves a version to another state. */
export async function setState(
  connection: Connection,
  names: LogNames,
  version: { readonly name: string; readonly version: number },
  state: ProjectionState,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.projections
      set state = $3, changed_at = clock_timestamp()
      where name = $1 and version = $2`,
    values: [version.name, version.version, state],
  })
}

async function createVersion(
  client: pg.ClientBase,
  names: LogNames,
  projection: AnyProjection,
  state: ProjectionState,
  partitions: number,
): Promise<void> {
  const schemaName = versionSchema(projection)
  await refuseSharedSchema(client, names, projection)
  await createOwnedSchema(client, names, schemaName)
  await buildTables(client, projection)
  if (partitions > 1) await requirePartitionable(client, projection.name, schemaName)
  // Of a version that is built beside another they come last, when its tables are filled.
  if (state === 'live') await buildIndexes(client, projection)
  await client.query(
    /* sql */ `
    insert into ${names.schema}.projections
      (name, version, state, schema_name, view_schema, definition_hash, is_indexed, partitions)
    values ($1, $2, $3, $4, $5, $6, $3 = 'live', $7)`,
    [
      projection.name,
      projection.version,
      state,
      schemaName,
      projection.viewSchema,
      definitionHash(projection),
      projection.partitions,
    ],
  )
  await recordTables(client, names, projection)
  await recordDefinition(client, names, projection)
  await createCheckpoint(client, names, projectionSubscription(projection), 0n, partitions)
  if (state === 'live') {
    await createOwnedSchema(client, names, projection.viewSchema)
    await showVersion(client, { viewSchema: projection.viewSchema, schemaName })
  }
}

/** Two projections with one schema would replace each other's views. */
async function refuseSharedSchema(
  client: pg.ClientBase,
  names: LogNames,
  projection: AnyProjection,
): Promise<void> {
  const schemas = [versionSchema(projection), projection.viewSchema]
  const others = (await listVersions(client, names)).filter(({ name }) => name !== projection.name)
  const taken = others.find(
    ({ schemaName, viewSchema }) => schemas.includes(schemaName) || schemas.includes(viewSchema),
  )
  if (taken === undefined) return
  const schema = schemas.includes(taken.viewSchema) ? taken.viewSchema : taken.schemaName
  throw new TidemarkError(
    'SCHEMA_FOREIGN',
    `schema "${schema}" is that of projection "${taken.name}": ` +
      `set \`schema\` in projection "${projection.name}" to another name`,
    { details: { schema } },
  )
}
