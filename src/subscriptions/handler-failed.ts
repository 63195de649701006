import type { SequencedEvent } from '../core/recorded-event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { positionOf } from '../core/without-position.ts'
import { describeSubscription, type SubscriptionId } from './subscription-id.ts'

/** Says in one line which handler failed on which event. */
export function handlerFailed(
  id: SubscriptionId,
  event: Pick<SequencedEvent, 'type' | 'position' | 'streamId'>,
  error: unknown,
): TidemarkError {
  const subscription = describeSubscription(id)
  const { type, streamId } = event
  const position = positionOf(event)
  const place = position === null ? 'as it is appended' : `at position ${position}`
  const text = error instanceof Error ? error.message : String(error)
  const reason = text.replaceAll(/\s+/g, ' ').trim()
  return new TidemarkError(
    'HANDLER_FAILED',
    `${subscription} failed on event "${type}" of stream "${streamId}" ${place}: ${reason}`,
    { details: { subscription, position, type, streamId, reason }, cause: error },
  )
}
