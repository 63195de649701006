import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { transaction } from '../db/transaction.ts'
import { ownershipLockKey } from '../subscriptions/log-session.ts'
import { describeSubscription, type SubscriptionId } from '../subscriptions/subscription-id.ts'

/** What can be dropped by its name: a version of a projection has tables, a process has instances. */
export type DroppableKind = 'reactor' | 'route' | 'relay'

/**
 * Drops a reactor, route or relay that no worker runs any more: its checkpoint, and what it has parked. Nothing
 * is kept for it then; a relay's messages go once the others have passed them. What it did stays, jobs that
 * a reactor has enqueued run. When a worker runs it again, it is a new one, which begins where `from` of its
 * definition says.
 *
 * @throws SUBSCRIPTION_UNKNOWN
 * @throws SUBSCRIPTION_IN_USE when a worker runs it: nothing was changed.
 */
export async function dropSubscription(
  pool: pg.Pool,
  names: LogNames,
  kind: DroppableKind,
  name: string,
): Promise<void> {
  const id: SubscriptionId = { kind, name, version: 1 }
  await transaction(pool, async (client) => {
    // Whoever runs it holds this lock. So nobody begins to before this is committed.
    const { rows } = await client.query<{ is_free: boolean }>(
      'select pg_try_advisory_xact_lock($1) as is_free',
      [ownershipLockKey(names, id)],
    )
    if (rows[0]?.is_free !== true) throw inUse(id)
    const { rowCount } = await client.query(
      /* sql */ `
      delete from ${names.schema}.subscriptions
      where kind = $1 and name = $2 and version = $3`,
      [id.kind, id.name, id.version],
    )
    if (rowCount === 0) throw unknown(id)
    if (kind !== 'relay') return
    await client.query(/* sql */ `delete from ${names.schema}.parked_messages where relay = $1`, [
      name,
    ])
  })
}

function inUse(id: SubscriptionId): TidemarkError {
  const subscription = describeSubscription(id)
  return new TidemarkError(
    'SUBSCRIPTION_IN_USE',
    `a worker runs ${subscription}: stop that or take it out of its definitions, then drop it`,
    { details: { subscription } },
  )
}

function unknown(id: SubscriptionId): TidemarkError {
  const subscription = describeSubscription(id)
  return new TidemarkError(
    'SUBSCRIPTION_UNKNOWN',
    `there is no ${subscription}: \`tidemark status\` lists what there is`,
    { details: { subscription } },
  )
}
