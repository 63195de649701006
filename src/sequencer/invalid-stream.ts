import { TidemarkError } from '../core/tidemark-error.ts'

/** Says that the replication stream makes no sense: nothing may be guessed. */
export function invalidStream(reason: string): TidemarkError {
  return new TidemarkError(
    'REPLICATION_STREAM_INVALID',
    `the replication stream is invalid: ${reason}`,
    { details: { reason } },
  )
}
