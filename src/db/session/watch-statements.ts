import type pg from 'pg'
import { isConnectionLoss } from '../sqlstate.ts'
import { isWaiting, processIdOf, socketOf } from './client-internals.ts'
import { cutOnAbort, disconnect } from './disconnect.ts'
import { watchSilence } from './watch-silence.ts'

/** How long finding out may take. */
const inquiryMs = 5_000

/**
 * Ends a connection on whose statement the server does not work, or not any more, though no answer has
 * come: the network swallowed one or the other. A statement may take as long as it likes, so that this
 * is asked on another connection.
 *
 * @param limitMs After how much silence to ask.
 */
export function watchStatements(
  client: pg.Client,
  limitMs: number,
  reconnect: () => Promise<pg.Client>,
): void {
  const socket = socketOf(client)
  const inquire = async (error: Error) => {
    const bytes = socket.bytesRead
    const isLost = () => isWaiting(client) && socket.bytesRead === bytes
    if (await hasLost(client, isLost, reconnect)) socket.destroy(error)
  }
  const stop = watchSilence(
    {
      bytesRead: () => socket.bytesRead,
      isWaiting: () => isWaiting(client),
      ask: () => {},
      giveUp: (error) => void inquire(error),
    },
    { everyMs: limitMs / 3, askAfterMs: Number.POSITIVE_INFINITY, giveUpAfterMs: limitMs },
  )
  client.once('end', stop)
}

/** When it cannot be found out, the connection is as good as before. */
async function hasLost(
  client: pg.Client,
  isLost: () => boolean,
  reconnect: () => Promise<pg.Client>,
): Promise<boolean> {
  try {
    const other = await reconnect()
    const forget = cutOnAbort(other, AbortSignal.timeout(inquiryMs))
    try {
      if (await isAtWork(other, client)) return false
      // What it holds locked is in the way of whoever does the same again.
      if (isLost()) await other.query('select pg_terminate_backend($1)', [processIdOf(client)])
      return isLost()
    } finally {
      forget()
      await disconnect(other)
    }
  } catch (error) {
    return isConnectionLoss(error instanceof Error ? (error.cause ?? error) : error)
  }
}

/** Behind a pooler, whose process ids are its own, it may be. */
async function isAtWork(other: pg.Client, client: pg.Client): Promise<boolean> {
  const { rows } = await other.query<{ works: boolean }>(
    /* sql */ `
    select
      pg_backend_pid() <> $1
      or exists (select from pg_stat_activity where pid = $2 and state = 'active') as works`,
    [processIdOf(other), processIdOf(client)],
  )
  return rows[0]?.works !== false
}
