import { TidemarkError } from '../core/tidemark-error.ts'

/**
 * Stops here when the caller wants no more.
 *
 * @throws OPERATION_CANCELLED with the signal's reason as its cause.
 */
export function refuseAborted(signal: AbortSignal | undefined, operation: string): void {
  if (signal?.aborted !== true) return
  throw new TidemarkError('OPERATION_CANCELLED', `${operation} was cancelled`, {
    details: { operation },
    cause: signal.reason,
  })
}
