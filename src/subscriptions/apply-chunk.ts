import { applyLanes } from './apply-lanes.ts'
import { chunkTransaction } from './chunk-transaction.ts'
import type { Chunk } from './lane.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery } from './subscription-context.ts'

/** Applies a chunk to all lanes and moves the checkpoint behind it, in one transaction, once. */
export async function applyChunk(
  subscriber: Subscriber,
  delivery: Delivery,
  chunk: Chunk,
): Promise<void> {
  await chunkTransaction(subscriber, delivery, chunk, (client) =>
    applyLanes(subscriber, client, chunk, delivery.parked),
  )
}
