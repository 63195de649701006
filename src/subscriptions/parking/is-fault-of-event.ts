import { isTidemarkError } from '../../core/tidemark-error.ts'
import { isFinal } from '../is-final.ts'

/** Whether an event of the chunk may have caused a failure: not the connection, not the log. */
export function isFaultOfEvent(error: unknown): boolean {
  if (isTidemarkError(error)) return error.code === 'HANDLER_FAILED'
  return isFinal(error)
}
