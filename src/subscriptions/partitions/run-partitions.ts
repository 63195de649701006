import { TidemarkError } from '../../core/tidemark-error.ts'
import { isTransient } from '../../db/sqlstate.ts'
import { pause } from '../../db/wait.ts'
import { readCheckpoint } from '../checkpoint.ts'
import { runSubscription, type SubscriptionEnd } from '../run-subscription.ts'
import type { Subscriber } from '../subscriber.ts'
import type { SubscriptionContext } from '../subscription-context.ts'
import type { SubscriptionId } from '../subscription-id.ts'
import { hashText } from './hash-text.ts'
import { type Partition, whole } from './partition.ts'

/** Pause after the database could not be asked. */
const retryMs = 1_000

/**
 * Delivers the log to all partitions of a subscription, of which this process owns its share. Into how many its keys
 * are divided stands in the database, whatever the code says; when that changes all begin anew.
 *
 * One that fails ends the others, too: the subscription stands still, and other processes may try.
 *
 * @param subscriberOf makes the subscriber of one partition. Called again for each number of them.
 * @throws NOT_SUPPORTED on a server that hashes texts otherwise than this code.
 */
export async function runPartitions(
  id: SubscriptionId,
  subscriberOf: (partition: Partition) => Subscriber,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<Exclude<SubscriptionEnd, 'repartitioned'>> {
  while (!signal.aborted) {
    const count = await readCount(id, context, signal)
    if (signal.aborted) break
    if (count === undefined) return 'gone'
    const end = await runAll(id, count, subscriberOf, context, signal)
    if (end !== 'repartitioned') return end
  }
  return 'aborted'
}

async function runAll(
  id: SubscriptionId,
  count: number,
  subscriberOf: (partition: Partition) => Subscriber,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<SubscriptionEnd> {
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  const parts = Array.from({ length: count }, async (_, index) => {
    const end = await runSubscription(subscriberOf({ index, count }), context, ended)
    if (end !== 'aborted') over.abort()
    return end
  })
  const watching = untilRepartitioned(id, count, context, ended).finally(() => over.abort())
  const ends = [...(await Promise.all(parts)), await watching]
  for (const end of ['failed', 'gone', 'repartitioned'] as const) {
    if (ends.includes(end)) return end
  }
  return 'aborted'
}

/** Who waits to own a partition does not read its row, and one that is idle reads nothing. */
async function untilRepartitioned(
  id: SubscriptionId,
  count: number,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<SubscriptionEnd> {
  const { session } = context
  while (!signal.aborted) {
    const { partitions } = session
    if ((await readCount(id, context, signal)) !== count && !signal.aborted) return 'repartitioned'
    await session.untilPartitionsDiffer(partitions, signal)
  }
  return 'aborted'
}

/** @returns undefined when there is no such subscription, or when it was aborted. */
async function readCount(
  id: SubscriptionId,
  { pool, names, logger }: SubscriptionContext,
  signal: AbortSignal,
): Promise<number | undefined> {
  do {
    try {
      const count = (await readCheckpoint(pool, names, id, whole))?.partitions
      if (count !== undefined && count > 1) await requireSameHash(pool)
      return count
    } catch (error) {
      if (!isTransient(error)) throw error
      logger.warn({ subscription: id, err: error }, 'cannot look up the partitions')
    }
  } while (await pause(retryMs, signal))
  return undefined
}

/** A text of more than one block, and of more than ASCII. */
const sample = 'tidemark divides keys by their hash: é, 中'

/** Which partition a key belongs to must not depend on who says so. */
async function requireSameHash(pool: SubscriptionContext['pool']): Promise<void> {
  const { rows } = await pool.query<{ hash: number }>('select hashtext($1 collate "C") as hash', [
    sample,
  ])
  if (rows[0]?.hash === hashText(sample)) return
  const reason = 'the server hashes texts otherwise, as one with big-endian bytes does'
  throw new TidemarkError('NOT_SUPPORTED', `partitions cannot be applied: ${reason}`, {
    details: { feature: 'partitions' },
  })
}
