import type { BatchSize } from './batch-size.ts'
import { readAlone } from './read-alone.ts'
import { type LogCursor, type LogRun, readRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery } from './subscription-context.ts'

/**
 * Batches behind the head within which reads are shared: under load everybody is some behind. One in place
 * of eight made 0.44 of 0.73 (bench/projection-many.ts, 2026-11-22).
 */
const nearBatches = 8

/**
 * Reads the next run for a subscription: near the head together with all others of the process that stand
 * there, far behind it for itself, with the filter of its own types. So does one that is not to go on
 * beyond a position, and one whose batches are smaller than the others'.
 */
export async function readNext(
  subscriber: Subscriber,
  delivery: Delivery,
  after: LogCursor,
  size: BatchSize,
): Promise<LogRun> {
  const { pool, names, haltAt, parked, shared, serverRun, session } = delivery
  const maxEvents = size.current
  // What is parked has to be told from the rest here.
  const types = subscriber.fetches || parked.events > 0 ? subscriber.types : null
  const alone = () => readAlone(pool, names, after, { types, batchSize: maxEvents, end: haltAt })
  if (shared === undefined || haltAt !== null) return alone()
  const isFar = session.head.position - after.position > BigInt(maxEvents * nearBatches)
  if (isFar || !size.isLargest) {
    shared.reads.leave(subscriber)
    return alone()
  }
  const readTypes = (all: readonly string[]) =>
    readRun(pool, names, { after, maxEvents, types: all })
  const run = await shared.reads.read(subscriber, serverRun, after, readTypes)
  if (run !== undefined) return run
  return shared.reads.meet(serverRun, after, await alone())
}
