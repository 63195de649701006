import type { SequencedEvent } from '../core/recorded-event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { describeSubscription, type SubscriptionId } from './subscription-id.ts'

/** Says which handler threw on which event. */
export function handlerFailed(
  id: SubscriptionId,
  event: Pick<SequencedEvent, 'type' | 'position'>,
  error: unknown,
): TidemarkError {
  const subscription = describeSubscription(id)
  const { position, type } = event
  const reason = error instanceof Error ? error.message : String(error)
  return new TidemarkError(
    'HANDLER_FAILED',
    `${subscription} failed on event "${type}" at position ${position}: ${reason}`,
    { details: { subscription, position, type, reason }, cause: error },
  )
}
