import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits, or less when aborted.
 *
 * @returns false when it was aborted.
 */
export async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal })
    return true
  } catch {
    return false
  }
}
