import { dirname, join } from 'node:path'
import pg from 'pg'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { startChosenPostgres } from '../support/servers/chosen-postgres.ts'
import { installLedgerFailpoint } from './ledger-failpoint.ts'

/** A server of the suite's own, with a log on it. */
export interface FaultServer extends AsyncDisposable {
  readonly postgres: EmbeddedPostgres
  readonly connectionString: string
  /** What a process of the suite needs to know. */
  readonly env: Readonly<Record<string, string>>
  /** For the suite itself. Its commits wait for no standby. */
  readonly pool: pg.Pool
}

/**
 * Starts it without `fsync`. An immediate restart ends the server's processes and not the machine: what
 * they wrote is in the page cache and is there again, exactly as if it were on the disk.
 */
export async function startFaultServer(): Promise<FaultServer> {
  const postgres = await startChosenPostgres({
    durable: false,
    settings: { max_wal_size: '2GB', wal_sender_timeout: '5s', deadlock_timeout: '100ms' },
    stopTimeoutMs: 30_000,
  })
  const { connectionString } = postgres
  const pool = new pg.Pool({
    connectionString,
    application_name: 'faults',
    options: '-c synchronous_commit=local',
  })
  // The next query reports a lost connection.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  await migrate({ connectionString })
  await pool.query(/* sql */ `
    create schema faults;
    create table faults.unrelated (id bigint generated always as identity, filler text not null);`)
  const client = await pool.connect()
  await installLedgerFailpoint(client).finally(() => client.release())
  // Halves the time that the next process of the suite takes to start.
  const compiled = join(dirname(postgres.logFile), 'compiled')
  return {
    ...{ postgres, connectionString, pool },
    env: { DATABASE_URL: connectionString, NODE_COMPILE_CACHE: compiled },
    [Symbol.asyncDispose]: async () => {
      await postgres.stop()
      await pool.end()
    },
  }
}
