import { once } from 'node:events'
import pg from 'pg'
import { logNames } from '../src/db/log-names.ts'

/** A position that was announced, and when it was heard. */
export interface Announcement {
  readonly position: number
  readonly atMs: number
}

export interface Listener extends AsyncDisposable {
  /** What was heard so far, oldest first. */
  readonly announcements: readonly Announcement[]
  /** Waits for the first announcement of a position, or of a later one. */
  heard(position: number, signal: AbortSignal): Promise<Announcement>
}

/** Hears of ledger rows, each time right after they became visible. */
export async function listen(connectionString: string): Promise<Listener> {
  const client = new pg.Client({ connectionString })
  const announcements: Announcement[] = []
  client.on('notification', ({ payload = '' }) => {
    announcements.push({ position: Number(payload), atMs: performance.now() })
  })
  await client.connect()
  await client.query(`listen ${logNames().channel}`)
  const heard = async (position: number, signal: AbortSignal) => {
    for (;;) {
      const found = announcements.find((announcement) => announcement.position >= position)
      if (found !== undefined) return found
      await once(client, 'notification', { signal })
    }
  }
  return { announcements, heard, [Symbol.asyncDispose]: () => client.end() }
}
