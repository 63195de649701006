import pRetry from 'p-retry'
import type { Logger } from '../core/logger.ts'
import { pause } from './wait.ts'

export interface KeepTryingOptions {
  /** What is tried, for the log. */
  readonly task: string
  readonly signal: AbortSignal
  readonly logger: Logger
  /** First and longest pause between attempts. Defaults 100 and 5,000; pauses are jittered. */
  readonly minDelayMs?: number
  readonly maxDelayMs?: number
}

const defaults = { minDelayMs: 100, maxDelayMs: 5_000 }

/**
 * Runs a task until it is aborted: again after the shortest pause when it ends after having been
 * healthy, and with a growing, jittered pause when it fails without. Never throws.
 *
 * @param task calls `healthy` once it works, so that a failure a week later starts from the short
 *   pause again.
 */
export async function keepTrying(
  task: (healthy: () => void) => Promise<void>,
  options: KeepTryingOptions,
): Promise<void> {
  const { signal, logger } = options
  const isNews = newsOnly()
  while (!signal.aborted) {
    await pRetry(() => untilUnhealthy(task, options), {
      signal,
      retries: Number.POSITIVE_INFINITY,
      minTimeout: options.minDelayMs ?? defaults.minDelayMs,
      maxTimeout: options.maxDelayMs ?? defaults.maxDelayMs,
      randomize: true,
      onFailedAttempt: ({ error, attemptNumber }) => {
        const fields = { task: options.task, attempt: attemptNumber, err: error }
        if (isNews(error.message)) logger.warn(fields, error.message)
        else logger.debug(fields, error.message)
      },
    }).catch((error: unknown) => {
      if (!signal.aborted) logger.error({ task: options.task, err: error }, String(error))
    })
    await pause((options.minDelayMs ?? defaults.minDelayMs) * (0.5 + Math.random()), signal)
  }
}

const reminderMs = 60_000

/** Tells whether to report a failure: one that was not the last one, or that has gone on for long. */
function newsOnly(): (message: string) => boolean {
  let last = ''
  let reportedAt = 0
  return (message) => {
    const now = performance.now()
    if (message === last && now - reportedAt < reminderMs) return false
    last = message
    reportedAt = now
    return true
  }
}

async function untilUnhealthy(
  task: (healthy: () => void) => Promise<void>,
  options: KeepTryingOptions,
): Promise<void> {
  let wasHealthy = false
  try {
    await task(() => {
      wasHealthy = true
    })
  } catch (error) {
    if (options.signal.aborted) return
    if (!wasHealthy) throw retryable(error)
    options.logger.warn({ task: options.task, err: error }, messageOf(error))
  }
}

/** p-retry gives up on a TypeError; a defect must not become a loop without pauses. */
function retryable(error: unknown): unknown {
  return error instanceof TypeError ? new Error(error.message, { cause: error }) : error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
