import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { embeddedSettings } from '../../../src/testing/embedded-postgres.ts'
import { readServerVersion } from './server-version.ts'
import type { TestServer } from './test-server.ts'

/**
 * Starts PostgreSQL in a container. Its own reaper container removes it when the run is killed.
 * It cannot be restarted: the engine would publish it on another port.
 */
export async function startDockerServer(): Promise<TestServer> {
  // Imported only here: loading it takes longer than starting an embedded server.
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const settings = { ...embeddedSettings, fsync: 'off' }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const container = await new PostgreSqlContainer('postgres:18')
    .withUsername('postgres')
    .withDatabase('postgres')
    .withCommand(['postgres', ...flags])
    .start()
  const connectionString = container.getConnectionUri()
  return {
    connectionString,
    source: 'docker',
    version: await readServerVersion(connectionString),
    stop: async () => {
      await container.stop()
    },
  }
}

/**
 * Tells whether a Docker engine answers. The command line alone is no sign of one, and an engine
 * that has to be waited for is treated as none.
 */
export async function dockerAnswers(command = 'docker', limitMs = 2_000): Promise<boolean> {
  const answer = promisify(execFile)(command, ['version', '--format', '{{.Server.Version}}'], {
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  return answer.then(
    () => true,
    () => false,
  )
}
