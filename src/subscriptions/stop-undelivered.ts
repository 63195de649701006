import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { transaction } from '../db/transaction.ts'
import { ownershipLockKey } from './log-session.ts'
import type { SubscriptionId } from './subscription-id.ts'

/** Why a subscription stands still, for `status` and for those who wait for it. */
export interface StopReason {
  readonly code: string
  readonly message: string
}

/**
 * Records why a subscription stands still that this process cannot deliver, unless another one does: for that
 * one nothing is wrong. Whoever can deliver it later forgets the reason: see `noteOwner`. One that is inline
 * stays as it is, because it does not stand still.
 */
export async function stopUndelivered(
  pool: pg.Pool,
  names: LogNames,
  id: SubscriptionId,
  reason: StopReason,
): Promise<void> {
  await transaction(pool, async (client) => {
    const partitions = await findUntold(client, names, id, reason)
    const keys = partitions.map((partition) => ownershipLockKey(names, id, partition))
    if (keys.length === 0 || !(await areFree(client, keys))) return
    await client.query(
      /* sql */ `
      update ${names.schema}.subscriptions
      set state = 'failed', error = $4, updated_at = clock_timestamp()
      where kind = $1 and name = $2 and version = $3 and state <> 'inline'`,
      [id.kind, id.name, id.version, JSON.stringify(reason)],
    )
  })
}

/** All of its partitions, unless each row says the same already. */
async function findUntold(
  client: pg.ClientBase,
  { schema }: LogNames,
  { kind, name, version }: SubscriptionId,
  reason: StopReason,
): Promise<readonly number[]> {
  const { rows } = await client.query<{ partition: number; is_told: boolean }>(
    /* sql */ `
    select partition, state = 'failed' and error is not distinct from $4 as is_told
    from ${schema}.subscriptions
    where kind = $1 and name = $2 and version = $3 and state <> 'inline'
    order by partition`,
    [kind, name, version, JSON.stringify(reason)],
  )
  return rows.every((row) => row.is_told) ? [] : rows.map(({ partition }) => partition)
}

/** Takes the locks of those who deliver until the end of the transaction, if nobody has one. */
async function areFree(client: pg.ClientBase, keys: readonly string[]): Promise<boolean> {
  const { rows } = await client.query<{ free: boolean }>(
    'select bool_and(pg_try_advisory_xact_lock(k)) as free from unnest($1::bigint[]) as k',
    [keys],
  )
  return rows[0]?.free === true
}
