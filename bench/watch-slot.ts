import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

export interface SlotWatch extends AsyncDisposable {
  /** Most WAL, in bytes, that the database's slots kept the server from releasing so far. */
  readonly peakBytes: number
}

const intervalMs = 100

/** Watches how much WAL the slots of a database retain. */
export async function watchSlots(connectionString: string): Promise<SlotWatch> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  const over = new AbortController()
  let peakBytes = 0
  const watching = (async () => {
    while (!over.signal.aborted) {
      const { rows } = await client.query<{ bytes: string | null }>(/* sql */ `
        select max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::text as bytes
        from pg_replication_slots
        where database = current_database()`)
      peakBytes = Math.max(peakBytes, Number(rows[0]?.bytes ?? 0))
      await sleep(intervalMs)
    }
  })()
  watching.catch(() => {})
  return {
    get peakBytes() {
      return peakBytes
    },
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await watching
      await client.end()
    },
  }
}
