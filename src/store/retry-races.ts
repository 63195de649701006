import { type ErrorCode, isTidemarkError } from '../core/tidemark-error.ts'
import { pause } from '../db/wait.ts'
import { refuseAborted } from './refuse-aborted.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface RaceOptions {
  /** For whoever reads that it was cancelled. */
  readonly operation: string
  /** Codes of the errors that say that others were first; any other is thrown. */
  readonly races: readonly ErrorCode[]
  readonly maxAttempts: number
  readonly signal: AbortSignal | undefined
}

const never = new AbortController().signal

/**
 * Does something again, after a pause, as long as others are first.
 *
 * @throws OPERATION_CANCELLED when aborted before an attempt, or while its append was queued.
 */
export async function retryRaces<T>(
  { operation, races, maxAttempts, signal }: RaceOptions,
  attemptOnce: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    refuseAborted(signal, operation)
    try {
      return await attemptOnce()
    } catch (error) {
      // Taken back while it was queued.
      if (error === signal?.reason) refuseAborted(signal, operation)
      const isRace = races.some((code) => isTidemarkError(error, code))
      if (attempt >= maxAttempts || !isRace) throw error
    }
    await pause(retryDelayMs(attempt, Math.random()), signal ?? never)
  }
}
