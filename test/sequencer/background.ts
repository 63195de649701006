import { until } from '../support/until.ts'

/** Something that runs until it is stopped. */
export interface Background extends AsyncDisposable {
  /** Aborts, and waits for the end. Throws what the run threw, and when it does not end. */
  stop(): Promise<void>
  /** Settles when the run ends, stopped or not. */
  readonly ended: Promise<void>
}

/** Longer than the second after which a silent server is cut off. */
const defaultStopLimitMs = 8_000

/** Starts something that takes an `AbortSignal`, to be stopped at the end of a block. */
export function inBackground(
  run: (signal: AbortSignal) => Promise<unknown>,
  stopLimitMs = defaultStopLimitMs,
): Background {
  const controller = new AbortController()
  let hasEnded = false
  const ended = run(controller.signal).then(
    () => {
      hasEnded = true
    },
    (error: unknown) => {
      hasEnded = true
      throw error
    },
  )
  ended.catch(() => {}) // reported by `stop`
  const stop = async () => {
    controller.abort()
    await until('what was stopped to end', () => hasEnded, { timeoutMs: stopLimitMs })
    await ended
  }
  return { stop, ended, [Symbol.asyncDispose]: stop }
}
