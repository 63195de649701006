import { isTidemarkError } from '../core/tidemark-error.ts'

/**
 * Says that trying again is of no use: a job whose handler throws it is a dead letter at once.
 *
 * @example
 * if (response.status === 404) throw new PermanentError('there is no such account')
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
}

/**
 * Whether a failure is one for good. A payload that the schema refuses stays as it is, too; once the schema is
 * mended the job can be retried.
 */
export function isPermanent(error: unknown): boolean {
  return error instanceof PermanentError || isTidemarkError(error, 'EVENT_DATA_INVALID')
}
