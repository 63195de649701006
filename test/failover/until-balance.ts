import type pg from 'pg'
import { sqlstate, sqlstateOf } from '../../src/db/sqlstate.ts'
import { until } from '../support/until.ts'

/** Waits until the projection of accounts exists and has a balance. */
export async function untilBalance(pool: pg.Pool, account: string, balance: string): Promise<void> {
  await until(`account "${account}" to have ${balance}`, async (saw) => {
    const found = await readBalance(pool, account)
    saw(found)
    return found === balance
  })
}

async function readBalance(pool: pg.Pool, account: string): Promise<string | undefined> {
  const sql = 'select balance from accounts.balances where account = $1'
  const { rows } = await pool.query(sql, [account]).catch((error: unknown) => {
    if (sqlstateOf(error) === sqlstate.undefinedTable) return { rows: [] }
    throw error
  })
  return rows[0]?.balance
}
