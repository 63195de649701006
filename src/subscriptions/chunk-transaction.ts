import type pg from 'pg'
import { failpoint } from '../core/failpoint.ts'
import { settleAll } from '../db/settle-all.ts'
import { transaction } from '../db/transaction.ts'
import { commitLanes, resetLanes } from './apply-lanes.ts'
import { advanceCheckpoint, checkpointRegressed } from './checkpoint.ts'
import type { Chunk } from './lane.ts'
import { parkEvents } from './parking/park-events.ts'
import type { ParkedEvent } from './parking/parked-keys.ts'
import { whole } from './partitions/partition.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery } from './subscription-context.ts'

/**
 * A chunk's transaction makes the server keep WAL since it began. So it gives up and begins anew when it
 * waits for a lock, such as of somebody who alters its tables; and the server ends it, with its session,
 * when the process that carries it out stands still.
 */
export const chunkLimits = { lockTimeoutMs: 10_000, silenceMs: 60_000 }

/**
 * Applies a chunk by a function, parks what the function says has to be, and moves the checkpoint, in one
 * transaction. Lanes and the set of parked keys learn of it once it is committed.
 *
 * @throws CHECKPOINT_REGRESSED, PARKING_FULL, and what the function throws.
 */
export async function chunkTransaction(
  subscriber: Subscriber,
  delivery: Delivery,
  chunk: Pick<Chunk, 'after' | 'upto'>,
  apply: (client: pg.PoolClient) => Promise<readonly ParkedEvent[]>,
): Promise<void> {
  const { pool, names, parked } = delivery
  let toPark: readonly ParkedEvent[] = []
  const body = async (client: pg.PoolClient) => {
    toPark = await moveAndApply(subscriber, delivery, chunk, client, apply)
    failpoint('chunk-applied')
    await parkEvents(client, names, subscriber, parked, toPark)
    if (toPark.length > 0) failpoint('event-parked')
  }
  try {
    const limits = { ...chunkLimits, ...delivery.chunkLimits }
    await transaction(pool, body, { durable: subscriber.durable, ...limits })
  } catch (error) {
    resetLanes(subscriber)
    throw error
  }
  commitLanes(subscriber)
  parked.add(toPark)
}

/** In one round trip. The checkpoint's row is locked first, so that what the lanes read is right. */
async function moveAndApply(
  subscriber: Subscriber,
  { names, owner, serverRun, revision }: Delivery,
  { after, upto }: Pick<Chunk, 'after' | 'upto'>,
  client: pg.PoolClient,
  apply: (client: pg.PoolClient) => Promise<readonly ParkedEvent[]>,
): Promise<readonly ParkedEvent[]> {
  const move = { after, upto, owner, serverRun, revision, partition: subscriber.partition ?? whole }
  const moving = advanceCheckpoint(client, names, subscriber.id, move)
  const applying = apply(client)
  const [, moved] = await Promise.allSettled([applying, moving])
  // Before its handler is heard: who lost a race read rows that are not its own to read.
  if (moved.status === 'fulfilled' && !moved.value) throw checkpointRegressed(subscriber.id, after)
  const [, toPark] = await settleAll([moving, applying])
  return toPark
}
