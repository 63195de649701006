import { TidemarkError } from '../core/tidemark-error.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'

/** Gives a reader's error its code where table and ledger disagree; others come back as they are. */
export function logInconsistent(error: unknown): unknown {
  if (sqlstateOf(error) !== sqlstate.logInconsistent) return error
  const { message, detail } = error as Error & { detail?: string }
  const position = BigInt(detail ?? 0)
  return new TidemarkError('LOG_INCONSISTENT', message, {
    details: { position, reason: message },
    cause: error,
  })
}
