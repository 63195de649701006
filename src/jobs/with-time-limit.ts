import { TidemarkError } from '../core/tidemark-error.ts'

/** How long a handler may take to notice that its time is up. */
const graceMs = 10_000

/**
 * Runs a function with a signal that is aborted when the worker stops, or when its time is up. Then it may
 * still end by itself, for ten seconds; after that it is given up, even if it goes on.
 *
 * @throws JOB_TIMED_OUT when it failed after its time was up, or was given up.
 */
export async function withTimeLimit<T>(
  timeoutMs: number | null,
  stopping: AbortSignal,
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeoutMs === null) return fn(stopping)
  const over = new AbortController()
  const givenUp = Promise.withResolvers<never>()
  const error = timedOut(timeoutMs)
  const timers = [
    setTimeout(() => over.abort(error), timeoutMs),
    setTimeout(() => givenUp.reject(error), timeoutMs + graceMs),
  ]
  try {
    return await Promise.race([fn(AbortSignal.any([stopping, over.signal])), givenUp.promise])
  } catch (failure) {
    throw over.signal.aborted && failure !== error ? timedOut(timeoutMs, failure) : failure
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}

function timedOut(timeoutMs: number, cause?: unknown): TidemarkError {
  return new TidemarkError('JOB_TIMED_OUT', `the job has not ended in ${timeoutMs} ms`, {
    details: { timeoutMs },
    cause,
  })
}
