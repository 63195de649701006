import type pg from 'pg'
import { settleAll } from '../../db/settle-all.ts'
import { transaction } from '../../db/transaction.ts'

/**
 * Asks the server something about the log in a short transaction in which names mean what Postgres
 * means by them, whatever search path the database or the role is set to: who can change events can
 * also shadow a function or an operator. Short, so that a check of hours holds back no vacuum.
 */
export async function ask<T>(
  pool: pg.Pool,
  question: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  return transaction(pool, async (client) => {
    const naming = client.query('set local search_path = pg_catalog, pg_temp')
    const [, answer] = await settleAll([naming, question(client)])
    return answer
  })
}
