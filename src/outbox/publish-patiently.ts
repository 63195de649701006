import { isTidemarkError } from '../core/tidemark-error.ts'
import { pause } from '../db/wait.ts'
import { BatchSize } from '../subscriptions/batch-size.ts'
import type { OutboxMessage, Publisher } from './publisher.ts'

/** Pauses between two attempts. */
const pauseMs = { first: 100, longest: 10_000 }

/** How long a publisher may go on after it was told to stop. */
const graceMs = 5_000

/** What is known of a broker that cannot be reached. */
export interface Trouble {
  readonly since: Date
  readonly attempts: number
  readonly error: unknown
}

/**
 * Publishes messages until the broker has confirmed them, however long that takes. After a failure one message
 * is tried by itself, then twice as many each time: a broker that is ill gets little to do, and what it has
 * confirmed is not sent again.
 *
 * @param onTrouble called after each attempt that failed.
 * @returns false when it was aborted first: any of the messages may have been published.
 * @throws MESSAGE_REFUSED
 */
export async function publishPatiently(
  publisher: Publisher,
  messages: readonly OutboxMessage[],
  onTrouble: (trouble: Trouble) => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  const size = new BatchSize(Math.max(1, messages.length), Number.POSITIVE_INFINITY)
  let trouble: Trouble | undefined
  let restMs = pauseMs.first
  for (let left = messages; left.length > 0; ) {
    if (signal.aborted) return false
    const some = left.slice(0, size.current)
    try {
      await unlessOverdue(publisher.publish(some, signal), signal)
      left = left.slice(some.length)
      size.took(some.length, 0)
      restMs = pauseMs.first
    } catch (error) {
      if (signal.aborted) return false
      if (isTidemarkError(error, 'MESSAGE_REFUSED')) throw error
      size.failed()
      trouble = { since: new Date(), ...trouble, attempts: (trouble?.attempts ?? 0) + 1, error }
      await onTrouble(trouble)
      await pause(Math.max(restMs * (0.5 + Math.random()), retryAfter(error)), signal)
      restMs = Math.min(restMs * 2, pauseMs.longest)
    }
  }
  return true
}

function retryAfter(error: unknown): number {
  return (isTidemarkError(error, 'PUBLISH_FAILED') && error.details.retryAfterMs) || 0
}

/** A publisher that does not heed the signal must not keep a worker from ending. */
async function unlessOverdue(publishing: Promise<void>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const overdue = Promise.withResolvers<void>()
  const onAbort = async () => {
    if (await pause(graceMs, over.signal)) overdue.reject(new Error('the publisher does not stop'))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([publishing, overdue.promise])
  } finally {
    over.abort()
    signal.removeEventListener('abort', onAbort)
  }
}
