import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import { cancellable } from '../../db/cancellable.ts'
import type { LogNames } from '../../db/log-names.ts'
import { transaction } from '../../db/transaction.ts'
import type { AnyProjection } from '../projection.ts'
import { recordTables, requireUnchanged } from '../tables/drift.ts'
import { buildIndexes } from '../tables/run-ddl.ts'

/**
 * Says that a version which was building has caught up, after making the indexes that it lacks: in one
 * transaction, so that whoever is killed meanwhile leaves nothing, and the next begins them again. Any
 * other state stays.
 *
 * Nothing is applied to the version meanwhile; it catches up with what came afterwards.
 *
 * @param signal ends the making of indexes at once.
 * @throws PROJECTION_DRIFTED when somebody changed its tables while it was built.
 */
export async function markReady(
  pool: pg.Pool,
  names: LogNames,
  projection: AnyProjection,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { name, version } = projection
  await transaction(pool, async (client) => {
    const { rows } = await client.query<{ is_indexed: boolean }>(
      /* sql */ `
      select is_indexed
      from ${names.schema}.projections
      where name = $1 and version = $2 and state = 'building'
      for no key update`,
      [name, version],
    )
    const [building] = rows
    if (building === undefined) return
    if (!building.is_indexed) await makeIndexes(pool, client, names, projection, signal)
    await client.query(
      /* sql */ `
      update ${names.schema}.projections
      set state = 'ready', is_indexed = true, changed_at = clock_timestamp()
      where name = $1 and version = $2`,
      [name, version],
    )
    failpoint('version-ready')
  })
}

async function makeIndexes(
  pool: pg.Pool,
  client: pg.PoolClient,
  names: LogNames,
  projection: AnyProjection,
  signal: AbortSignal,
): Promise<void> {
  // What is recorded below is what is compared with from then on.
  await requireUnchanged(client, names, { ...projection, state: 'building' })
  await client.query('set local statement_timeout = 0')
  await cancellable(pool, client, signal, () => buildIndexes(client, projection))
  // Its own statements may have changed them.
  await recordTables(client, names, projection)
  failpoint('indexes-made')
}
