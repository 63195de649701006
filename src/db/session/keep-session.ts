import type pg from 'pg'
import { isWaiting, socketOf } from './client-internals.ts'
import { type SilenceLimits, watchSilence } from './watch-silence.ts'

/**
 * Keeps a session from being silent, for as long as it lives: asks the server for nothing when nothing
 * was asked for a while, and ends the connection when a statement is not answered in time. Should the
 * server still be at work on it, it ends that by itself.
 */
export function keepSession(client: pg.Client, limits: SilenceLimits): void {
  const socket = socketOf(client)
  const stop = watchSilence(
    {
      bytesRead: () => socket.bytesRead,
      isWaiting: () => isWaiting(client),
      ask: () => {
        // What is under way will be answered: questions do not gather behind a long statement.
        if (!isWaiting(client)) client.query('select').catch(() => {})
      },
      giveUp: (error) => socket.destroy(error),
    },
    limits,
  )
  client.once('end', stop)
}
