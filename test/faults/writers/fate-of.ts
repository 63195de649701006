import pg from 'pg'
import { isTidemarkError } from '../../../src/core/tidemark-error.ts'
import type { Fate } from './journal.ts'

/**
 * What an error says of the transaction that it ended. Only a server that went on talking has rolled it
 * back for certain: with a lost connection the commit may have been carried out.
 */
export function fateOf(error: unknown): Fate {
  if (error instanceof pg.DatabaseError) return error.severity === 'ERROR' ? 'absent' : 'unknown'
  if (isTidemarkError(error)) return error.cause === undefined ? 'absent' : fateOf(error.cause)
  return 'unknown'
}
