import type pg from 'pg'
import { isPipelined } from './session/client-internals.ts'
import { settleAll } from './settle-all.ts'

export interface TransactionOptions {
  /**
   * Whether the commit waits until it is on disk. Without, a crash of the server may undo the whole
   * transaction, never a part of it: for what is done again then. Default true.
   */
  readonly durable?: boolean
  /** How long a statement waits for a lock before it fails with 55P03. Default: as the server is set. */
  readonly lockTimeoutMs?: number
  /**
   * How long nothing may be asked before the server ends the session, so that a process which stands
   * still holds no locks. Default: as the server is set.
   */
  readonly silenceMs?: number
  /** Default: as the server is set. */
  readonly isolation?: 'read committed'
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
  const begin = beginning(options)
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    const begun = client.query(begin)
    // Not awaited by itself on a pipelined connection: the first statements travel with it.
    if (!isPipelined(client)) await begun
    const [, result] = await settleAll([begun, body(client)])
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

function beginning(options: TransactionOptions): string {
  const { durable = true, lockTimeoutMs, silenceMs, isolation } = options
  const settings = {
    synchronous_commit: durable ? undefined : 'off',
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: silenceMs,
  }
  const set = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `set local ${name} = ${value}`)
  const begin = isolation === undefined ? 'begin' : `begin isolation level ${isolation}`
  return [begin, ...set].join('; ')
}
