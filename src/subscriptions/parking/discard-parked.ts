import type pg from 'pg'
import type { Logger } from '../../core/logger.ts'
import type { LogNames } from '../../db/log-names.ts'
import { transaction } from '../../db/transaction.ts'
import { reviseSubscription } from '../checkpoint.ts'
import { describeSubscription, type SubscriptionId } from '../subscription-id.ts'
import { parkedUnknown } from './retry-parked.ts'

/** Which parked events to give up: all of a key, or one. */
export interface DiscardTarget {
  readonly lane: string
  readonly key: string
  /** The one event at this position. Default: all of the key. */
  readonly position?: bigint
}

export interface DiscardResult {
  /** Positions of the events that will never be applied there, ascending. */
  readonly discarded: readonly bigint[]
}

/**
 * Gives up parked events: the lane will never apply them. What follows a single one stays parked until
 * it is retried. After all of a key are discarded, later events of the key are applied to what its row
 * was before. Each is written to the log as a warning.
 *
 * @throws PARKED_EVENT_UNKNOWN when nothing of the kind is parked. LOCK_TIMED_OUT never: it waits for the
 *   chunk at hand.
 */
export async function discardParked(
  pool: pg.Pool,
  names: LogNames,
  id: SubscriptionId,
  target: DiscardTarget,
  logger: Logger,
): Promise<DiscardResult> {
  const { lane, key, position } = target
  const discarded = await transaction(pool, async (client) => {
    if (!(await reviseSubscription(client, names, id))) throw parkedUnknown(id, target)
    const { rows } = await client.query<{ position: string }>(
      /* sql */ `
      delete from ${names.schema}.parked_events
      where kind = $1 and name = $2 and version = $3 and lane = $4 and key = $5
        and ($6::bigint is null or position = $6)
      returning position::text`,
      [id.kind, id.name, id.version, lane, key, position?.toString() ?? null],
    )
    if (rows.length === 0) throw parkedUnknown(id, target)
    return rows.map((row) => BigInt(row.position)).sort((a, b) => (a < b ? -1 : 1))
  })
  for (const one of discarded) {
    logger.warn(
      { subscription: id, lane, key, position: one },
      `${describeSubscription(id)} will never apply the event at position ${one} to key "${key}" of ${lane}`,
    )
  }
  return { discarded }
}
