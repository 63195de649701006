import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'

export interface TableLocking {
  /** For messages. */
  readonly table: string
  readonly lockTimeoutMs: number
  readonly names: LogNames
}

/**
 * Runs a function in a transaction that locks tables, and tells the server's refusals by their codes. No
 * projection becomes inline meanwhile.
 *
 * @throws LOCK_TIMED_OUT, PRIVILEGE_MISSING
 */
export async function lockingTables<T>(
  pool: pg.Pool,
  { table, lockTimeoutMs, names }: TableLocking,
  body: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  try {
    return await transaction(
      pool,
      async (client) => {
        await client.query(`select pg_advisory_xact_lock_shared($1::regclass::oid::bigint)`, [
          `${names.schema}.events`,
        ])
        return await body(client)
      },
      { lockTimeoutMs, isolation: 'read committed' },
    )
  } catch (error) {
    throw tableError(error, table, lockTimeoutMs)
  }
}

/** Turns what the server says of a table into an error with a code. */
export function tableError(error: unknown, table: string, lockTimeoutMs: number): unknown {
  if (sqlstateOf(error) === sqlstate.lockNotAvailable) {
    return new TidemarkError(
      'LOCK_TIMED_OUT',
      `transactions held table ${table} for ${lockTimeoutMs} ms: nothing changed, try again`,
      { details: { resource: `table ${table}`, timeoutMs: lockTimeoutMs }, cause: error },
    )
  }
  if (sqlstateOf(error) === sqlstate.insufficientPrivilege) {
    const operation = `capture table ${table} (${(error as Error).message})`
    const remedy =
      'do it as the owner of the log, who owns the table too or is a member of its owner'
    return new TidemarkError('PRIVILEGE_MISSING', `this user may not ${operation}: ${remedy}`, {
      details: { operation, remedy },
      cause: error,
    })
  }
  return error
}
