import pg from 'pg'
import { withClient } from './query-once.ts'
import { until } from './until.ts'

/**
 * Drops a database with everything that keeps PostgreSQL from dropping it: sessions, replication
 * slots and prepared transactions. A database that is not there is no error.
 */
export async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await rollBackPrepared(serverUrl, name)
  await withClient(serverUrl, async (admin) => {
    await dropSlots(admin, name)
    await admin.query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`)
  })
}

/** Gives the connection string of another database on the same server. */
export function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${encodeURIComponent(name)}`
  return url.href
}

/** A session that is told to end lets go of its slot a moment later. */
async function dropSlots(admin: pg.Client, database: string): Promise<void> {
  await until(`the replication slots of "${database}" to go`, async (saw) => {
    await admin.query(
      /* sql */ `
        select pg_terminate_backend(active_pid)
        from pg_replication_slots
        where database = $1 and active`,
      [database],
    )
    await admin.query(
      /* sql */ `
        select pg_drop_replication_slot(slot_name)
        from pg_replication_slots
        where database = $1 and not active`,
      [database],
    )
    const { rows } = await admin.query(
      /* sql */ `select slot_name, active_pid from pg_replication_slots where database = $1`,
      [database],
    )
    saw(rows)
    return rows.length === 0
  })
}

/** A prepared transaction ends only from inside its database. */
async function rollBackPrepared(serverUrl: string, database: string): Promise<void> {
  const prepared = await withClient(serverUrl, (admin) =>
    admin.query<{ gid: string }>(
      /* sql */ `select gid from pg_prepared_xacts where database = $1`,
      [database],
    ),
  )
  if (prepared.rows.length === 0) return
  await withClient(withDatabase(serverUrl, database), async (client) => {
    for (const { gid } of prepared.rows) {
      await client.query(`rollback prepared ${pg.escapeLiteral(gid)}`)
    }
  })
}
