import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { killNewChildProcesses, listChildProcesses, type ProcessInfo } from './child-processes.ts'
import { dropDatabase, withDatabase } from './drop-database.ts'
import { assertNothingLeaked } from './leaks.ts'
import { queryOnce } from './query-once.ts'

export interface TestDatabaseOptions {
  /**
   * Whether the database starts as a copy of the migrated template, or empty.
   * @default true
   */
  readonly template?: boolean
  /**
   * How long sessions that are ending may take before they count as leaked.
   * @default 5_000
   */
  readonly releaseTimeoutMs?: number
}

/** A database of its own on the run's server. */
export interface TestDatabase {
  readonly name: string
  readonly connectionString: string
  readonly pool: pg.Pool
  /** Opens one more connection, which is closed with the database. */
  client(config?: pg.ClientConfig): Promise<pg.Client>
}

/**
 * Creates a database. Its disposal closes what the database handed out, checks that nobody else
 * holds on to it, and drops it even if someone does.
 */
export async function createTestDatabase(
  options: TestDatabaseOptions = {},
): Promise<TestDatabase & AsyncDisposable> {
  const { database, release } = await openTestDatabase(options)
  return { ...database, [Symbol.asyncDispose]: () => release() }
}

/**
 * Gives every test of the file the same database, made before the first and dropped after the last.
 * The file fails when it leaves a session, a replication slot, a prepared transaction or a child
 * process behind.
 *
 * @returns An object that can be used inside tests and hooks, not before.
 * @example
 * const database = useDatabase()
 * test('…', async () => {
 *   await database.pool.query('select 1')
 * })
 */
export function useDatabase(options: TestDatabaseOptions = {}): TestDatabase {
  let opened: OpenedDatabase | undefined
  let childrenBefore: readonly ProcessInfo[] = []

  beforeAll(async () => {
    childrenBefore = await listChildProcesses()
    opened = await openTestDatabase(options)
  })
  afterAll(async () => {
    await opened?.release(childrenBefore)
  })

  const database = () => {
    if (opened === undefined) throw new Error('the test database exists only inside tests')
    return opened.database
  }
  return {
    get name() {
      return database().name
    },
    get connectionString() {
      return database().connectionString
    },
    get pool() {
      return database().pool
    },
    client: (config) => database().client(config),
  }
}

interface OpenedDatabase {
  readonly database: TestDatabase
  /** Child processes are checked when those that may stay are given. */
  release(childrenBefore?: readonly ProcessInfo[]): Promise<void>
}

async function openTestDatabase(options: TestDatabaseOptions): Promise<OpenedDatabase> {
  const server = inject('postgres')
  const name = `${server.databasePrefix}_${randomBytes(4).toString('hex')}`
  const template = (options.template ?? true) ? server.template : 'template0'
  await queryOnce(server.connectionString, `create database ${name} template ${template}`)

  const connectionString = withDatabase(server.connectionString, name)
  const pool = new pg.Pool({ connectionString, application_name: 'test pool' })
  pool.on('error', ignoreLostConnection)
  pool.on('connect', (added) => added.on('error', ignoreLostConnection))
  const clients: pg.Client[] = []
  const client = async (config: pg.ClientConfig = {}) => {
    const added = new pg.Client({ connectionString, application_name: 'test client', ...config })
    added.on('error', ignoreLostConnection)
    clients.push(added)
    await added.connect()
    return added
  }

  const release = async (childrenBefore?: readonly ProcessInfo[]) => {
    // Not awaited: a client that a test never gave back would hold it up for ever. The check
    // waits for the sessions instead, and tells which one stays.
    const closing = Promise.allSettled([pool.end(), ...clients.map((added) => added.end())])
    try {
      await assertNothingLeaked({
        serverUrl: server.connectionString,
        database: name,
        timeoutMs: options.releaseTimeoutMs ?? 5_000,
        ...(childrenBefore && { childrenBefore }),
      })
      await closing
    } finally {
      // What leaked must not hurt the files that come after.
      if (childrenBefore) await killNewChildProcesses(childrenBefore)
      await dropDatabase(server.connectionString, name)
    }
  }
  return { database: { name, connectionString, pool, client }, release }
}

/** A lost connection is no failure by itself; the next query that needs it reports it. */
function ignoreLostConnection(): void {}
