import { sqlstate, sqlstateOf } from '../../../src/db/sqlstate.ts'
import { isTidemarkError } from '../../../src/index.ts'

/** Whether an append was refused because it does not apply what is inline. Nothing of it is kept. */
export function isRefusedAsInline(error: unknown): boolean {
  return (
    isTidemarkError(error, 'PROJECTION_NOT_APPLIED') ||
    sqlstateOf(error) === sqlstate.projectionNotApplied
  )
}
