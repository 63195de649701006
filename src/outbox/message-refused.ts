import { TidemarkError } from '../core/tidemark-error.ts'
import type { OutboxMessage } from './publisher.ts'

/** Says that a broker will never take a message. */
export function messageRefused(
  message: OutboxMessage,
  reason: string,
  cause?: unknown,
): TidemarkError<'MESSAGE_REFUSED'> {
  const { id, topic } = message
  return new TidemarkError(
    'MESSAGE_REFUSED',
    `message ${id} of topic "${topic}" is refused: ${reason}`,
    { details: { messageId: id, topic, reason }, cause },
  )
}
