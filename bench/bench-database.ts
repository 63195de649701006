import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { migrate } from '../src/index.ts'
import { dropDatabase, withDatabase } from '../test/support/drop-database.ts'
import { queryOnce } from '../test/support/query-once.ts'

/** A database with a log in it. Its disposal drops it. */
export interface BenchDatabase extends AsyncDisposable {
  readonly connectionString: string
  /** Runs one statement. */
  execute(sql: string): Promise<void>
  /** Starts a run with nothing left to write from the one before. */
  settle(): Promise<void>
}

/** Makes a database on a server, named after the one that the connection string names. */
export async function createBenchDatabase(serverUrl: string): Promise<BenchDatabase> {
  const base = decodeURIComponent(new URL(serverUrl).pathname.slice(1)) || 'postgres'
  const name = `${base.slice(0, 40)}_bench_${randomBytes(4).toString('hex')}`
  const connectionString = withDatabase(serverUrl, name)
  const execute = async (sql: string) => {
    await queryOnce(connectionString, sql)
  }
  await queryOnce(serverUrl, `create database ${pg.escapeIdentifier(name)} template template0`)
  const database: BenchDatabase = {
    connectionString,
    execute,
    settle: () => execute('checkpoint'),
    [Symbol.asyncDispose]: () => dropDatabase(serverUrl, name),
  }
  try {
    await migrate({ connectionString, jobSchema: false })
    return database
  } catch (error) {
    await database[Symbol.asyncDispose]()
    throw error
  }
}
