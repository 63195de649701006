import { TidemarkError } from '../core/tidemark-error.ts'
import { formatToken, type Token } from '../core/token.ts'

export interface AppendResult {
  readonly streamId: string
  /** The stream's version after the append: that of its last event. */
  readonly version: bigint
  /** Names the transaction. Wait for it once it has committed. */
  readonly token: Token
  /** Whether this is the result of an earlier append, with the same key or event ids. */
  readonly replayed: boolean
}

/** What the append functions in SQL answer. */
export type OutcomeName =
  | 'appended'
  | 'conflict'
  | 'replayed'
  | 'key reused'
  | 'busy'
  | 'condition failed'

/** What became of an append: its result, why it failed, or how it is to be tried again. */
export type AppendOutcome =
  | { readonly result: AppendResult }
  | { readonly error: Error }
  | { readonly again: 'alone' | 'patiently' }

/** Says that the stream is not as its writer expected. */
export function versionConflict(
  streamId: string,
  expectedVersion: string,
  actualVersion: bigint,
): TidemarkError {
  return new TidemarkError(
    'STREAM_VERSION_CONFLICT',
    `stream "${streamId}" is at version ${actualVersion}, expected ${expectedVersion}: ` +
      'read it again and decide anew',
    { details: { streamId, expectedVersion, actualVersion } },
  )
}

/** Says that a key was used for other events before. */
export function keyReused(key: string): TidemarkError {
  return new TidemarkError(
    'APPEND_KEY_REUSED',
    `the key "${key}" belongs to an append of other events: use one key for one append`,
    { details: { key } },
  )
}

/** Makes the token of a transaction from its columns. */
export function tokenOf(incarnation: number, transactionId: string): Token {
  return formatToken({ incarnation, transactionId: BigInt(transactionId) })
}
