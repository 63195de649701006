import { pause } from '../db/wait.ts'

/** Holds up whoever goes too fast. */
export type Pace = (events: number, signal: AbortSignal) => Promise<void>

/**
 * Keeps to a number of events a second: after each chunk it waits as long as its events may take. What was
 * slower is not made up for.
 */
export function paceOf(maxEventsPerSecond: number, now = () => performance.now()): Pace {
  let free = now()
  return async (events, signal) => {
    free = Math.max(free, now() - burstMs) + (events / maxEventsPerSecond) * 1_000
    const ms = free - now()
    if (ms > 0) await pause(ms, signal)
  }
}

/** A chunk that took longer than its share may be followed by one that takes less. */
const burstMs = 1_000
