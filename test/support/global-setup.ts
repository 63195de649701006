import { once } from 'node:events'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../src/worker/migrate.ts'
import { withDatabase } from './drop-database.ts'
import { queryOnce } from './query-once.ts'
import { createDatabasePrefix, dropRunDatabases } from './run-databases.ts'
import { dropRunRoles, listRoles } from './run-roles.ts'
import { startRunWatchdog } from './run-watchdog.ts'
import { startTestServer } from './servers/start-test-server.ts'
import type { TestServer } from './servers/test-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server of this run; `inject('postgres')`. */
    readonly postgres: {
      /** Connects a superuser to a database that belongs to no test. */
      readonly connectionString: string
      readonly source: TestServer['source']
      /** As in 180004 for 18.4. */
      readonly version: number
      readonly walLevel: 'minimal' | 'replica' | 'logical'
      /** Every database of this run is named `<databasePrefix>_…`. */
      readonly databasePrefix: string
      /** The migrated database that tests clone. Nobody can connect to it. */
      readonly template: string
    }
  }
}

/** Starts the server of the run and migrates the template; the result undoes both. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer()
  const databasePrefix = createDatabasePrefix()
  const rolesBefore = await listRoles(server.connectionString)
  const forgetRun = await rememberRun(server, databasePrefix)
  const teardown = async () => {
    try {
      await dropRunDatabases(server.connectionString, databasePrefix)
      await dropRunRoles(server.connectionString, rolesBefore)
      await forgetRun()
    } finally {
      await server.stop()
    }
  }

  try {
    const { connectionString, source, version } = server
    const template = await createTemplate(connectionString, databasePrefix)
    const walLevel = await readWalLevel(connectionString)
    project.provide('postgres', {
      connectionString,
      source,
      version,
      walLevel,
      databasePrefix,
      template,
    })
  } catch (error) {
    await teardown()
    throw error
  }
  return teardown
}

/** Only a server that outlives the run can keep anything of a run that was killed. */
async function rememberRun(server: TestServer, prefix: string): Promise<() => Promise<void>> {
  if (server.source !== 'url') return async () => {}
  const watchdog = await startRunWatchdog(server.connectionString, prefix)
  return async () => {
    watchdog.ref()
    watchdog.stdin?.end()
    await once(watchdog, 'exit')
  }
}

async function createTemplate(serverUrl: string, prefix: string): Promise<string> {
  const template = `${prefix}_template`
  await queryOnce(serverUrl, `create database ${template} template template0`)
  await migrate({ connectionString: withDatabase(serverUrl, template) })
  // A single connection to it would make every clone fail.
  await queryOnce(serverUrl, `alter database ${template} with allow_connections false`)
  return template
}

async function readWalLevel(serverUrl: string): Promise<'minimal' | 'replica' | 'logical'> {
  const [row] = await queryOnce<{ wal_level: 'minimal' | 'replica' | 'logical' }>(
    serverUrl,
    'show wal_level',
  )
  if (row === undefined) throw new Error('the server told no wal_level')
  return row.wal_level
}
