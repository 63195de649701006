import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import type { LogNames } from '../../db/log-names.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { transaction } from '../../db/transaction.ts'
import { reviseSubscription } from '../../subscriptions/checkpoint.ts'
import { projectionSubscription } from '../lanes/projection-subscriber.ts'
import { stateInvalid, unknownVersion } from './switch-version.ts'
import { listVersions, lockProjection, type ProjectionVersion } from './versions.ts'

/**
 * Empties the tables of a version and puts its checkpoint at a position, in one transaction: its rows come
 * from the events after that position alone, and the catalog says so. It is `building` then, unless it is
 * live. Whoever delivers it begins anew, and its parked events are gone.
 *
 * @throws PROJECTION_VERSION_UNKNOWN
 * @throws PROJECTION_STATE_INVALID for the live version, unless `live` is true: readers would see it empty.
 */
export async function resetVersion(
  pool: pg.Pool,
  names: LogNames,
  { name, version }: { readonly name: string; readonly version: number },
  position: bigint,
  options: { readonly live: boolean },
): Promise<void> {
  await transaction(pool, async (client) => {
    await lockProjection(client, names, name)
    const versions = await listVersions(client, names, name)
    const target = versions.find((one) => one.version === version)
    if (target === undefined) throw unknownVersion(name, version)
    if (target.isInline) throw stateInvalid(target, 'is inline: make it asynchronous first')
    if (target.state === 'live' && !options.live) {
      throw stateInvalid(
        target,
        'is live, and its readers would see it empty: raise `version` in its definition to rebuild it beside',
      )
    }
    // The checkpoint first, as a chunk does: so the two wait for each other and do not deadlock.
    await reviseSubscription(client, names, projectionSubscription(target))
    await moveCheckpoint(client, names, target, position)
    await truncateTables(client, target)
    await client.query(
      /* sql */ `
      update ${names.schema}.projections
      set state = case state when 'live' then 'live' else 'building' end,
        start_position = $3,
        reset_at = clock_timestamp(),
        changed_at = clock_timestamp()
      where name = $1 and version = $2`,
      [name, version, position.toString()],
    )
    failpoint('version-reset')
  })
}

async function moveCheckpoint(
  client: pg.ClientBase,
  names: LogNames,
  { name, version }: ProjectionVersion,
  position: bigint,
): Promise<void> {
  await client.query(
    /* sql */ `
    delete from ${names.schema}.parked_events
    where kind = 'projection' and name = $1 and version = $2`,
    [name, version],
  )
  await client.query(
    /* sql */ `
    update ${names.schema}.subscriptions
    set position = $3, next_partitions = null, halt_at = null, state = 'active', error = null,
      updated_at = clock_timestamp()
    where kind = 'projection' and name = $1 and version = $2`,
    [name, version, position.toString()],
  )
}

async function truncateTables(
  client: pg.ClientBase,
  { schemaName }: ProjectionVersion,
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    /* sql */ `
    select c.relname::text as name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`,
    [schemaName],
  )
  if (rows.length === 0) return
  const tables = rows.map(({ name }) => `${quoteIdent(schemaName)}.${quoteIdent(name)}`)
  await client.query(`truncate ${tables.join(', ')} restart identity`)
}
