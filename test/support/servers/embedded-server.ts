import { startChosenPostgres } from './chosen-postgres.ts'
import { readServerVersion } from './server-version.ts'
import type { TestServer } from './test-server.ts'

/**
 * Starts an embedded server of the chosen version, without `fsync`: no test survives a crash of the
 * machine.
 */
export async function startEmbeddedServer(): Promise<TestServer> {
  const server = await startChosenPostgres({ durable: false })
  return {
    connectionString: server.connectionString,
    source: 'embedded',
    version: await readServerVersion(server.connectionString),
    stop: () => server.stop(),
    restart: (mode) => server.restart(mode),
  }
}
