import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import { transaction } from '../../db/transaction.ts'
import {
  concludeRepartition,
  requestRepartition,
} from '../../subscriptions/partitions/repartition.ts'
import { projectionSubscription } from '../lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projection.ts'
import { markReady } from './mark-ready.ts'
import { readDivision } from './read-division.ts'

/** A version whose slowest partition is no further behind has caught up. */
const maxLag = 1_000n

/**
 * Does what is left to do for a version when one of its partitions has caught up. When all have, a version
 * that was built by more or fewer partitions than it is to have gets its number; after that, one that was
 * building is ready.
 *
 * @returns whether nothing is left.
 */
export async function settleVersion(
  pool: pg.Pool,
  names: LogNames,
  projection: AnyProjection,
  signal?: AbortSignal,
): Promise<boolean> {
  const id = projectionSubscription(projection)
  const division = await readDivision(pool, names, projection)
  if (division === undefined) return true
  if (division.isChanging) {
    await concludeRepartition(pool, names, id)
    return false
  }
  const { partitions, wanted, state } = division
  if (partitions > 1 && division.lag > maxLag) return false
  if (partitions !== wanted) {
    await transaction(pool, (client) => requestRepartition(client, names, id, wanted))
    return false
  }
  if (state === 'building') await markReady(pool, names, projection, signal)
  return true
}
