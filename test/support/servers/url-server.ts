import { readServerVersion } from './server-version.ts'
import type { TestServer } from './test-server.ts'

/**
 * Uses a server that runs already, as it is: it is never configured, restarted or stopped. Without
 * `wal_level=logical` the tests of WAL streaming have nothing to run on.
 */
export async function useServerAt(connectionString: string): Promise<TestServer> {
  return {
    connectionString,
    source: 'url',
    version: await readServerVersion(connectionString),
    stop: async () => {},
  }
}
