import type pg from 'pg'
import { isNotUnderstood } from '../../db/sqlstate.ts'
import { exactTypes } from '../tables/exact-types.ts'

/** What Kysely asks of a connection. */
interface ExactConnection {
  query(text: string, values: readonly unknown[]): Promise<pg.QueryResult>
  release(): void
}

/** Gives what to throw for the error of a query, and may ask the database about it. */
export type ExplainError = (client: pg.ClientBase, error: unknown) => Promise<unknown>

/**
 * The pool, except that results have the types which the columns declare, whoever made the pool, and that
 * nothing can be written: each query is a read-only transaction, which costs no round trip of its own.
 */
export function readingPool(pool: pg.Pool, explain?: ExplainError): pg.Pool {
  const connect = async () => {
    const client = await pool.connect()
    const begun = client.query('begin read only')
    begun.catch(() => {})
    const connection = exactConnection(client, () => {
      client.query('commit').then(
        () => client.release(),
        (error: Error) => client.release(error),
      )
    })
    return explain === undefined ? connection : explaining(connection, client, explain)
  }
  return asPool(connect)
}

/** On the connection of the query, which has failed: there may be no other. */
function explaining(
  connection: ExactConnection,
  client: pg.ClientBase,
  explain: ExplainError,
): ExactConnection {
  const query = async (text: string, values: readonly unknown[]) => {
    try {
      return await connection.query(text, values)
    } catch (error) {
      if (!isNotUnderstood(error)) throw error
      await client.query('rollback; begin read only').catch(() => {})
      throw await explain(client, error).catch(() => error)
    }
  }
  return { ...connection, query }
}

/**
 * A pool of one connection that somebody else opened, with a transaction on it that is not to be
 * ended from here.
 */
export function borrowedPool(client: pg.ClientBase): pg.Pool {
  const connection = exactConnection(client, () => {})
  return asPool(async () => ({
    ...connection,
    query: (text, values) => {
      refuseTransactionControl(text)
      return connection.query(text, values)
    },
  }))
}

/** Refuses what would end the transaction that a chunk and its checkpoint share, or begin another. */
export function refuseTransactionControl(text: string): void {
  if (
    !/^\s*(begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i.test(
      text,
    )
  )
    return
  throw new Error('a handler shares the transaction of its chunk and cannot begin or end one')
}

function exactConnection(client: pg.ClientBase, release: () => void): ExactConnection {
  return {
    query: (text, values) => client.query({ text, values: [...values], types: exactTypes }),
    release,
  }
}

function asPool(connect: () => Promise<ExactConnection>): pg.Pool {
  return { options: {}, connect, end: async () => {} } as unknown as pg.Pool
}
