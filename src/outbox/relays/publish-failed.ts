import { isTidemarkError, TidemarkError } from '../../core/tidemark-error.ts'

/** Says that messages are not known to be published, and are to be published again. */
export function publishFailed(
  broker: string,
  reason: string,
  options: { readonly cause?: unknown; readonly retryAfterMs?: number | null } = {},
): TidemarkError<'PUBLISH_FAILED'> {
  const { cause, retryAfterMs = null } = options
  return new TidemarkError('PUBLISH_FAILED', `publishing to ${broker} failed: ${reason}`, {
    details: { broker, reason, retryAfterMs },
    cause,
  })
}

/** Makes what a client threw an error of ours, unless it is one. */
export function asPublishFailed(broker: string, error: unknown): TidemarkError {
  return isTidemarkError(error) ? error : publishFailed(broker, reasonOf(error), { cause: error })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A connection that is refused at several addresses has its reasons within, and no message.
  const [first] = error instanceof AggregateError ? error.errors : []
  return error.message || (first instanceof Error ? first.message : error.name)
}
