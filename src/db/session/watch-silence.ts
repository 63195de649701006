/** A connection whose other end may vanish without a word. */
export interface WatchedConnection {
  /** Bytes that have come from the other end. */
  bytesRead(): number
  /** Whether an answer is due. */
  isWaiting?(): boolean
  /** Whether what comes is left unread for now. */
  isPaused?(): boolean
  /** Has the other end say something. */
  ask(): void
  /** Ends the connection, or does not: then it is told again. */
  giveUp(error: Error): void
}

export interface SilenceLimits {
  /** How often to look whether something has come. */
  readonly everyMs: number
  /** After how much silence to ask. */
  readonly askAfterMs: number
  /** How long an answer may take. */
  readonly giveUpAfterMs: number
}

/**
 * Watches over a connection: asks when nothing has come for a while, and gives up when an answer is due
 * and nothing comes. A packet that is lost on its way is repeated by the system for a quarter of an hour
 * before it reports anything.
 *
 * Silence is counted in looks, not by the clock: after the process was stopped, or busy for long, it
 * reads what has come meanwhile before it looks a second time.
 *
 * @returns what ends the watch.
 */
export function watchSilence(connection: WatchedConnection, limits: SilenceLimits): () => void {
  const { everyMs, askAfterMs, giveUpAfterMs } = limits
  let heard = connection.bytesRead()
  let hasAsked = false
  let quietMs = 0
  let dueMs = 0
  const look = () => {
    const bytes = connection.bytesRead()
    if (bytes !== heard || connection.isPaused?.() === true) {
      heard = bytes
      hasAsked = false
      quietMs = 0
      dueMs = 0
      return
    }
    quietMs += everyMs
    if (hasAsked || connection.isWaiting?.() === true) dueMs += everyMs
    if (dueMs >= giveUpAfterMs) {
      dueMs = 0
      connection.giveUp(serverSilent(giveUpAfterMs))
    } else if (quietMs >= askAfterMs) {
      hasAsked = true
      connection.ask()
    }
  }
  const timer = setInterval(look, everyMs)
  return () => clearInterval(timer)
}

/** With a code, so that it counts as the loss of a connection. */
function serverSilent(ms: number): Error {
  return Object.assign(new Error(`the server has not answered for ${ms} ms`), { code: 'ETIMEDOUT' })
}
