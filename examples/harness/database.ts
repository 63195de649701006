import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { createStore, isTidemarkError } from '../../src/index.ts'
import { startEmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'

/** A database of its own, which is gone afterwards with everything that was made in it. */
export interface ExampleDatabase extends AsyncDisposable {
  readonly connectionString: string
}

/**
 * Makes a database: on an embedded server, which ends with this process whatever happens to it, or on the
 * server of an address, whose user has to be allowed to create databases.
 */
export async function createDatabase(
  name: string,
  serverUrl: string | undefined,
): Promise<ExampleDatabase> {
  return serverUrl === undefined ? startEmbeddedPostgres() : createOn(serverUrl, name)
}

async function createOn(serverUrl: string, example: string): Promise<ExampleDatabase> {
  const name = `tidemark_${example}_${randomBytes(4).toString('hex')}`
  const rolesBefore = await onServer(serverUrl, listLogRoles)
  await onServer(serverUrl, (client) => client.query(`create database ${name}`))
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return {
    connectionString: url.href,
    [Symbol.asyncDispose]: async () => {
      await dropSlots(url.href)
      await onServer(serverUrl, async (client) => {
        await client.query(`drop database if exists ${name} with (force)`)
        const roles = await listLogRoles(client)
        for (const role of roles.filter((one) => !rolesBefore.includes(one))) {
          await client.query(`drop role if exists ${role}`).catch(unlessInUse)
        }
      })
    },
  }
}

/** A database that has a replication slot cannot be dropped. */
async function dropSlots(connectionString: string): Promise<void> {
  try {
    await using store = await createStore({ connectionString, jobSchema: false })
    await store.dropSlots()
  } catch (error) {
    // It was interrupted before there was a log.
    if (!isTidemarkError(error, 'SCHEMA_NOT_INSTALLED')) throw error
  }
}

/** The roles that a log makes belong to the server and outlive its database. */
async function listLogRoles(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    "select rolname as name from pg_roles where rolname ~ '^tidemark_(append|read|worker)$'",
  )
  return rows.map(({ name }) => name)
}

/** 2BP01: another log on the server has come to use it. */
function unlessInUse(error: unknown): void {
  if ((error as { code?: unknown }).code !== '2BP01') throw error
}

async function onServer<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
