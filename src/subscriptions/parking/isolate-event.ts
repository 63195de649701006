import { isTidemarkError } from '../../core/tidemark-error.ts'
import { applyChunk } from '../apply-chunk.ts'
import type { Subscriber } from '../subscriber.ts'
import type { Delivery } from '../subscription-context.ts'
import { applyAlone } from './apply-alone.ts'
import { isFaultOfEvent } from './is-fault-of-event.ts'
import { type FetchedChunk, splitChunk } from './split-chunk.ts'

/**
 * Applies a chunk that has failed, in parts, each with a transaction of its own: the events that are at
 * fault alone, and all others.
 *
 * @throws HANDLER_FAILED with the event at which the subscription has to stop. What comes before it is
 *   applied.
 */
export async function isolateEvent(
  subscriber: Subscriber,
  delivery: Delivery,
  chunk: FetchedChunk,
  failure: unknown,
  signal: AbortSignal,
): Promise<void> {
  for (const part of splitChunk(chunk, suspectOf(failure))) {
    if (signal.aborted) return
    if (part.events.length === 1) await applyAlone(subscriber, delivery, part)
    else await applyPart(subscriber, delivery, part, signal)
  }
}

async function applyPart(
  subscriber: Subscriber,
  delivery: Delivery,
  part: FetchedChunk,
  signal: AbortSignal,
): Promise<void> {
  try {
    await applyChunk(subscriber, delivery, part)
  } catch (error) {
    // Without an event there is none to blame.
    if (!isFaultOfEvent(error) || part.events.length === 0) throw error
    await isolateEvent(subscriber, delivery, part, error, signal)
  }
}

/** Position of the event that a failure names. */
function suspectOf(failure: unknown): bigint | null {
  return isTidemarkError(failure, 'HANDLER_FAILED') ? failure.details.position : null
}
