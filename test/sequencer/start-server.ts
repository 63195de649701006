import pg from 'pg'
import { onTestFinished } from 'vitest'
import { migrate } from '../../src/worker/migrate.ts'
import { startChosenPostgres } from '../support/servers/chosen-postgres.ts'

/** Starts a server of the test's own, with a log on it; it ends with the test. */
export async function startServer(settings: Record<string, string>) {
  const server = await startChosenPostgres({ durable: false, settings })
  const { connectionString } = server
  const pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  onTestFinished(async () => {
    await pool.end()
    await server.stop()
  })
  const { warnings } = await migrate({ connectionString, jobSchema: false })
  return { server, connectionString, pool, warnings }
}
