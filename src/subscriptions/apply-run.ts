import pRetry from 'p-retry'
import { applyChunk } from './apply-chunk.ts'
import { isFaultOfEvent } from './is-fault-of-event.ts'
import { isFinal } from './is-final.ts'
import { isolateEvent } from './isolate-event.ts'
import type { Chunk } from './lane.ts'
import { type LogCursor, type LogRun, readEvents } from './read-run.ts'
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
  const fetch = () => readEvents(delivery.pool, delivery.names, subscriber.types, from, run)
  const events = run.events ?? (delivery.parked.events === 0 ? null : await fetch())
  const chunk = { after: from.position, upto: run.end.position, events }
  if (events?.length === 0 && (await isMovedWithOthers(subscriber, delivery, chunk))) return
  try {
    await applyPatiently(subscriber, delivery, chunk, signal)
  } catch (error) {
    if (signal.aborted) return
    if (!isFaultOfEvent(error)) throw error
    const fetched = { ...chunk, events: events ?? (await fetch()) }
    await isolateEvent(subscriber, delivery, fetched, error, signal)
  }
}

/** With nothing to apply, a checkpoint is moved together with those of other subscriptions. */
async function isMovedWithOthers(
  { id }: Subscriber,
  { shared, owner, serverRun, revision }: Delivery,
  { after, upto }: Chunk,
): Promise<boolean> {
  const move = { after, upto, owner, serverRun, revision }
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
