import { type LogCursor, type LogRun, readExtent, readRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery } from './subscription-context.ts'

/**
 * Events that stay in the server cost no memory here, and a statement over many of them costs little more
 * than one over few: chunks are so many times as long.
 */
const inServerFactor = 20

/**
 * Batches behind the head within which reads are shared: under load everybody is some behind. One in place
 * of eight made 0.44 of 0.73 (bench/projection-many.ts, 2026-11-22).
 */
const nearBatches = 8

/**
 * Reads the next run for a subscription: near the head together with all others of the process that stand
 * there, far behind it for itself, with the filter of its own types. So does one that is not to go on
 * beyond a position.
 */
export async function readNext(
  subscriber: Subscriber,
  delivery: Delivery,
  after: LogCursor,
): Promise<LogRun> {
  const { pool, names, batchSize: maxEvents, shared, serverRun, session } = delivery
  if (shared === undefined || delivery.haltAt !== null) {
    return readAlone(subscriber, delivery, after)
  }
  if (session.head.position - after.position > BigInt(maxEvents * nearBatches)) {
    shared.reads.leave(subscriber)
    return readAlone(subscriber, delivery, after)
  }
  const readTypes = (types: readonly string[]) => readRun(pool, names, { after, maxEvents, types })
  const run = await shared.reads.read(subscriber, serverRun, after, readTypes)
  if (run !== undefined) return run
  return shared.reads.meet(serverRun, after, await readAlone(subscriber, delivery, after))
}

function readAlone(
  { types, fetches }: Subscriber,
  { pool, names, batchSize, haltAt, parked }: Delivery,
  after: LogCursor,
): Promise<LogRun> {
  // What is parked has to be told from the rest here.
  const isRead = fetches || parked.events > 0
  const wanted = isRead ? batchSize : batchSize * inServerFactor
  const left = haltAt === null ? wanted : Number(haltAt - after.position)
  const maxEvents = Math.min(wanted, left)
  return isRead
    ? readRun(pool, names, { after, maxEvents, types })
    : readExtent(pool, names, { after, maxEvents })
}
