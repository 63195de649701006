import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'

export interface UntilOptions {
  /** @default 25_000 */
  readonly timeoutMs?: number
  /** Pause between two looks. @default 10 */
  readonly intervalMs?: number
}

/** Looks once. Returns what was waited for, or `undefined` or `false` to look again. */
export type Probe<T> = (
  /** Keeps what was seen, for the message when the time is up. */
  saw: (value: unknown) => void,
) => Promise<T | undefined | false> | T | undefined | false

const defaults = { timeoutMs: 25_000, intervalMs: 10 } as const

/**
 * Waits for a condition by looking at it again and again, the first time at once, the last time
 * when the time is up. An error of the probe ends the wait.
 *
 * @param description What is waited for, as in `waiting for <description>`.
 * @throws Error that says what was waited for, how long, and what was seen last.
 * @example
 * const row = await until('the order in the read model', async (saw) => {
 *   const { rows } = await pool.query('select * from orders')
 *   saw(rows)
 *   return rows.find((order) => order.id === id)
 * })
 */
export async function until<T>(
  description: string,
  probe: Probe<T>,
  options: UntilOptions = {},
): Promise<T> {
  const { timeoutMs, intervalMs } = { ...defaults, ...options }
  const deadline = performance.now() + timeoutMs
  let lastSeen: unknown = 'nothing yet, the first look has not returned'

  for (;;) {
    let told = false
    const looking = look(probe, (value) => {
      told = true
      lastSeen = value
    })
    const answer = await withLimit(looking, deadline + graceMs - performance.now())
    if (answer !== undefined && !told) lastSeen = answer.value
    if (answer?.value !== undefined && answer.value !== false) return answer.value
    if (performance.now() >= deadline) {
      const error = timeoutError(description, timeoutMs, lastSeen)
      Error.captureStackTrace(error, until) // so that the report shows who waited
      throw error
    }
    await sleep(Math.max(Math.min(intervalMs, deadline - performance.now()), 0))
  }
}

// Lets a look that began just before the deadline end, but not hang.
const graceMs = 250

async function look<T>(probe: Probe<T>, saw: (value: unknown) => void) {
  return { value: await probe(saw) }
}

/** A probe that hangs must not hide what was waited for behind the test's own timeout. */
async function withLimit<T>(looking: Promise<T>, limitMs: number): Promise<T | undefined> {
  const limit = new AbortController()
  try {
    return await Promise.race([looking, sleep(limitMs, undefined, { signal: limit.signal })])
  } finally {
    limit.abort()
  }
}

function timeoutError(description: string, timeoutMs: number, lastSeen: unknown): Error {
  const seen = typeof lastSeen === 'string' ? lastSeen : inspect(lastSeen, { depth: 6 })
  return new Error(`waited ${timeoutMs} ms for ${description}; last seen: ${seen}`)
}
