import { isTidemarkError } from '../core/tidemark-error.ts'
import { pause } from '../db/wait.ts'
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
 * Publishes messages until the broker has confirmed them, however long that takes.
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
  let since: Date | undefined
  let restMs = pauseMs.first
  for (let attempts = 1; !signal.aborted; attempts += 1) {
    try {
      await unlessOverdue(publisher.publish(messages, signal), signal)
      return true
    } catch (error) {
      if (signal.aborted) return false
      if (isTidemarkError(error, 'MESSAGE_REFUSED')) throw error
      since ??= new Date()
      await onTrouble({ since, attempts, error })
      await pause(Math.max(restMs * (0.5 + Math.random()), retryAfter(error)), signal)
      restMs = Math.min(restMs * 2, pauseMs.longest)
    }
  }
  return false
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
