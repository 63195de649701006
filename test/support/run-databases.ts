import { randomBytes } from 'node:crypto'
import { dropDatabase } from './drop-database.ts'
import { queryOnce } from './query-once.ts'

/**
 * Makes the prefix of every database of one run, so that runs which share a server neither meet nor
 * drop each other's. Short, because the names of slots and locks contain the database's.
 */
export function createDatabasePrefix(): string {
  return `tidemark_test_${randomBytes(4).toString('hex')}`
}

/** Drops every database of a run, the template too, with its replication slots. */
export async function dropRunDatabases(serverUrl: string, prefix: string): Promise<void> {
  const databases = await queryOnce<{ name: string }>(
    serverUrl,
    /* sql */ `select datname as name from pg_database where starts_with(datname, $1) order by 1`,
    [`${prefix}_`],
  )
  for (const { name } of databases) await dropDatabase(serverUrl, name)
}
