import { isTidemarkError } from '../core/tidemark-error.ts'
import { isTransient } from '../db/sqlstate.ts'

/** Whether trying again later, without anybody changing anything, cannot help. */
export function isFinal(error: unknown): boolean {
  return !isTransient(error) && !isTidemarkError(error, 'CHECKPOINT_REGRESSED')
}
