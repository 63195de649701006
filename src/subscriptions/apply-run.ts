import pRetry from 'p-retry'
import { isTidemarkError } from '../core/tidemark-error.ts'
import { applyChunk } from './apply-chunk.ts'
import { checkpointRegressed } from './checkpoint.ts'
import { isFinal } from './is-final.ts'
import type { Chunk } from './lane.ts'
import { isFaultOfEvent } from './parking/is-fault-of-event.ts'
import { isolateEvent } from './parking/isolate-event.ts'
import { whole } from './partitions/partition.ts'
import { type LogCursor, type LogRun, readRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery } from './subscription-context.ts'

/**
 * Applies a run and moves the checkpoint behind it, in one transaction. What fails is tried again,
 * `maxAttempts` times in all. Then the run is taken apart, until the event that is at fault stands alone:
 * what comes before it is applied, and it is parked if the subscriber says so.
 *
 * @throws HANDLER_FAILED for the event at which the subscription has to stop; at once what a new
 *   delivery may mend: a lost connection, CHECKPOINT_REGRESSED.
 */
export async function applyRun(
  subscriber: Subscriber,
  delivery: Delivery,
  from: LogCursor,
  run: LogRun,
  signal: AbortSignal,
): Promise<void> {
  const { events, end } = run
  const chunk = { after: from.position, upto: end.position, events }
  if (events?.length === 0 && (await isMovedWithOthers(subscriber, delivery, chunk))) return
  if (events === null && delivery.parked.events > 0) {
    await applyInParts(subscriber, delivery, from, end, signal)
    return
  }
  try {
    await applyPatiently(subscriber, delivery, chunk, signal)
  } catch (error) {
    if (signal.aborted) return
    if (!isFaultOfEvent(error)) throw error
    if (events === null) await applyInParts(subscriber, delivery, from, end, signal)
    else await isolateEvent(subscriber, delivery, { ...chunk, events }, error, signal)
  }
}

/** Fetches the events of a run that were left in the server, and applies them as they come. */
async function applyInParts(
  subscriber: Subscriber,
  delivery: Delivery,
  from: LogCursor,
  end: LogCursor,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, batchSize } = delivery
  const { types } = subscriber
  for (let after = from; after.position < end.position && !signal.aborted; ) {
    const maxEvents = Math.min(batchSize, Number(end.position - after.position))
    const part = await readRun(pool, names, { after, maxEvents, types })
    // What was read a moment ago is gone on another server alone.
    if (part.end.position === after.position) throw checkpointRegressed(subscriber.id, end.position)
    await applyRun(subscriber, delivery, after, part, signal)
    after = part.end
  }
}

/** With nothing to apply, a checkpoint is moved together with those of other subscriptions. */
async function isMovedWithOthers(
  { id, partition = whole }: Subscriber,
  { shared, owner, serverRun, revision }: Delivery,
  { after, upto }: Chunk,
): Promise<boolean> {
  const move = { after, upto, owner, serverRun, revision, partition }
  return (await shared?.moves.move(id, move)) === true
}

async function applyPatiently(
  subscriber: Subscriber,
  delivery: Delivery,
  chunk: Chunk,
  signal: AbortSignal,
): Promise<void> {
  await pRetry(() => asRetryable(applyChunk(subscriber, delivery, chunk)), {
    retries: delivery.maxAttempts - 1,
    minTimeout: 100,
    maxTimeout: 5_000,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isFinal(error),
    onFailedAttempt: ({ error, attemptNumber }) => {
      // Whoever delivers finds out whether that is in order.
      if (isTidemarkError(error, 'CHECKPOINT_REGRESSED')) return
      const fields = { subscription: subscriber.id, attempt: attemptNumber, err: error }
      delivery.logger.warn(fields, error.message)
    },
  })
}

/** p-retry gives up on a TypeError at once. */
async function asRetryable(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    throw error instanceof TypeError ? new Error(error.message, { cause: error }) : error
  }
}
