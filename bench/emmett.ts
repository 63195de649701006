import pg from 'pg'
import { queryOnce } from '../test/support/query-once.ts'
import { creditData } from './accounts.ts'
import type { BenchDatabase } from './bench-database.ts'
import {
  type CatchUp,
  catchUp,
  type EmmettConsumerSource,
  type EmmettProjections,
  type PongoExports,
  pongoPackage,
} from './emmett-projection.ts'
import { importPeer } from './peers/import-peer.ts'

export const emmettPackage = '@event-driven-io/emmett-postgresql'

/** Emmett, as installed. */
export interface Emmett {
  readonly version: string
  /** Installs its schema beside the log, and makes an event store on a pool of so many connections. */
  createLog(database: BenchDatabase, connections: number): Promise<EmmettLog>
}

/** Emmett's event store. Its disposal closes its connections. */
export interface EmmettLog extends AsyncDisposable {
  /** Appends an event for each account to a stream, whatever its version, in one call. */
  append(streamId: string, accounts: readonly number[]): Promise<void>
  /** Counts the events that are stored. */
  countEvents(): Promise<number>
  /** Projects the events that are stored into a new collection. Returns the milliseconds it took. */
  catchUp(order: CatchUp): Promise<number>
}

/** What is used of its package. */
interface EmmettExports extends EmmettProjections {
  getPostgreSQLEventStore(
    connectionString: string,
    options: { readonly connectionOptions: { readonly pool: pg.Pool } },
  ): EmmettStore
}

interface EmmettStore extends EmmettConsumerSource {
  readonly schema: { migrate(): Promise<unknown> }
  appendToStream(
    streamName: string,
    events: readonly { readonly type: string; readonly data: unknown }[],
  ): Promise<unknown>
}

/** Imports Emmett; null when it is not installed. */
export async function importEmmett(): Promise<Emmett | null> {
  const peer = await importPeer(emmettPackage)
  if (peer === null) return null
  const pongo = await importPeer(pongoPackage)
  if (pongo === null) return null
  const exports = { ...(peer.exports as EmmettExports), ...(pongo.exports as PongoExports) }
  return {
    version: peer.version,
    createLog: (database, connections) => createLog(exports, database, connections),
  }
}

async function createLog(
  emmett: EmmettExports & PongoExports,
  { connectionString }: BenchDatabase,
  connections: number,
): Promise<EmmettLog> {
  // A pool of ours, because version 0.42 does not pass on the `connectionOptions.max` that its
  // documentation has: its own pool never has more than 10 connections.
  const pool = new pg.Pool({ connectionString, max: connections })
  pool.on('error', () => {}) // the next append reports a lost connection
  const store = emmett.getPostgreSQLEventStore(connectionString, { connectionOptions: { pool } })
  const log: EmmettLog = {
    append: async (streamId, accounts) => {
      const events = accounts.map((account) => ({
        type: 'account.credited',
        data: creditData(account),
      }))
      await store.appendToStream(streamId, events)
    },
    countEvents: async () => {
      const sql = 'select count(*)::integer as events from emt_messages'
      const [row] = await queryOnce<{ events: number }>(connectionString, sql)
      return row?.events ?? 0
    },
    catchUp: (order) => catchUp(emmett, store, connectionString, order),
    [Symbol.asyncDispose]: () => pool.end(),
  }
  try {
    await store.schema.migrate()
    return log
  } catch (error) {
    await pool.end()
    throw error
  }
}
