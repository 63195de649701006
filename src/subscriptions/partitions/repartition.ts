import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { transaction } from '../../db/transaction.ts'
import { type LockedPartition, lockSubscription } from '../checkpoint.ts'
import { hintToLook } from '../look-around.ts'
import { describeSubscription, type SubscriptionId } from '../subscription-id.ts'

/**
 * What became of a change: `done`, `waiting` until all partitions stand at one position, or `none`, when
 * nobody has asked for one or there is no such subscription.
 */
export type RepartitionState = 'done' | 'waiting' | 'none'

/**
 * Asks that the keys of a subscription be divided into another number of partitions. From then on no
 * partition goes beyond the position of the one that is furthest, which the checkpoint's compare-and-set
 * sees to in every process. Once all stand there their rows are replaced, in one transaction: at once when
 * they do already, else by whoever looks next. Asked again with the number in force, a change that has not
 * happened is called off.
 *
 * @param connection a transaction that reads committed.
 * @throws SUBSCRIPTION_FAILED when somebody has deleted rows of partitions: nobody knows what their keys have.
 */
export async function requestRepartition(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  partitions: number,
): Promise<RepartitionState> {
  const rows = await lockSubscription(connection, names, id)
  const [first] = rows
  if (first === undefined) return 'none'
  requireComplete(id, rows)
  const isInForce = first.partitions === partitions
  const haltAt = isInForce ? null : furthest(rows)
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set next_partitions = $4, halt_at = $5
      where kind = $1 and name = $2 and version = $3`,
    values: [id.kind, id.name, id.version, isInForce ? null : partitions, haltAt?.toString()],
  })
  failpoint('partitions-asked')
  if (haltAt === null) return 'done'
  return concludeLocked(
    connection,
    names,
    id,
    rows.map((row) => ({ ...row, nextPartitions: partitions, haltAt })),
  )
}

/** Divides the keys anew if that was asked for and all partitions stand where it happens. */
export async function concludeRepartition(
  pool: pg.Pool,
  names: LogNames,
  id: SubscriptionId,
): Promise<RepartitionState> {
  const state = await readState(pool, names, id)
  if (state !== 'done') return state
  return transaction(pool, async (client) => {
    const rows = await lockSubscription(client, names, id)
    return concludeLocked(client, names, id, rows)
  })
}

/** Looks without a lock, which would hold up those who are on their way. `done`: it can be. */
async function readState(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<RepartitionState> {
  const [row] = await run<{ asked: boolean | null; together: boolean | null }>(connection, {
    text: /* sql */ `
      select bool_and(halt_at is not null) as asked, bool_and(position = halt_at) as together
      from ${names.schema}.subscriptions
      where kind = $1 and name = $2 and version = $3`,
    values: [id.kind, id.name, id.version],
  })
  if (row?.asked !== true) return 'none'
  return row.together === true ? 'done' : 'waiting'
}

async function concludeLocked(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  rows: readonly LockedPartition[],
): Promise<RepartitionState> {
  const [first] = rows
  if (first === undefined || first.nextPartitions === null) return 'none'
  requireComplete(id, rows)
  if (rows.some(({ position, haltAt }) => position !== haltAt)) return 'waiting'
  await replaceRows(connection, names, id, first.nextPartitions)
  await run(connection, hintToLook(names))
  failpoint('partitions-replaced')
  return 'done'
}

/** The first row stays, as parked events refer to it. */
async function replaceRows(
  connection: Connection,
  { schema }: LogNames,
  { kind, name, version }: SubscriptionId,
  partitions: number,
): Promise<void> {
  const values = [kind, name, version, partitions]
  await run(connection, {
    text: /* sql */ `
      delete from ${schema}.subscriptions
      where kind = $1 and name = $2 and version = $3 and partition >= $4`,
    values,
  })
  await run(connection, {
    text: /* sql */ `
      update ${schema}.subscriptions
      set partitions = $4, next_partitions = null, halt_at = null, revision = revision + 1,
        state = case state when 'inline' then state else 'active' end, error = null, owner = null, updated_at = clock_timestamp()
      where kind = $1 and name = $2 and version = $3`,
    values,
  })
  await run(connection, {
    text: /* sql */ `
      insert into ${schema}.subscriptions
        (kind, name, version, position, state, revision, partition, partitions)
      select s.kind, s.name, s.version, s.position, s.state, s.revision, p.index, s.partitions
      from ${schema}.subscriptions as s
      cross join generate_series(1, $4 - 1) as p (index)
      where s.kind = $1 and s.name = $2 and s.version = $3 and s.partition = 0
      on conflict do nothing`,
    values,
  })
}

function requireComplete(id: SubscriptionId, rows: readonly LockedPartition[]): void {
  if (rows.length === rows[0]?.partitions) return
  const subscription = describeSubscription(id)
  const reason = 'rows of its partitions are missing'
  throw new TidemarkError('SUBSCRIPTION_FAILED', `${subscription}: ${reason}`, {
    details: { subscription, reason },
  })
}

function furthest(rows: readonly LockedPartition[]): bigint {
  return rows.reduce((most, { position }) => (position > most ? position : most), 0n)
}
