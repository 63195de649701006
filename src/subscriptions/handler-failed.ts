import type { SequencedEvent } from '../core/recorded-event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { describeSubscription, type SubscriptionId } from './subscription-id.ts'

/** Says in one line which handler failed on which event. */
export function handlerFailed(
  id: SubscriptionId,
  event: Pick<SequencedEvent, 'type' | 'position' | 'streamId'>,
  error: unknown,
): TidemarkError {
  const subscription = describeSubscription(id)
  const { position, type, streamId } = event
  const text = error instanceof Error ? error.message : String(error)
  const reason = text.replaceAll(/\s+/g, ' ').trim()
  return new TidemarkError(
    'HANDLER_FAILED',
    `${subscription} failed on event "${type}" of stream "${streamId}" at position ${position}: ${reason}`,
    { details: { subscription, position, type, streamId, reason }, cause: error },
  )
}
