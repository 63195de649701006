import type pg from 'pg'
import { settleAll } from './settle-all.ts'

const beginWithoutWaiting = 'begin; set local synchronous_commit = off'

export interface TransactionOptions {
  /**
   * Whether the commit waits until it is on disk. Without, a crash of the server may undo the whole
   * transaction, never a part of it: for what is done again then. Default true.
   */
  readonly durable?: boolean
}

/**
 * Runs a function in a transaction on a connection of the pool. Commits when it returns, rolls back
 * when it throws. A connection that failed to roll back is destroyed instead of returned.
 */
export async function transaction<T>(
  pool: pg.Pool,
  body: (client: pg.PoolClient) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const begin = options.durable === false ? beginWithoutWaiting : 'begin'
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    // Not awaited by itself: on a pipelined connection the first statements travel with it.
    const [, result] = await settleAll([client.query(begin), body(client)])
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error('the server rolled the transaction back at commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure
    })
    throw error
  } finally {
    client.release(broken)
  }
}
