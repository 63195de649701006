import { sql } from 'kysely'
import type { ShownTable } from '../harness/report.ts'
import type { BankStore } from './ledger.ts'
import { statements } from './statements.ts'

const linesShown = 6

/** Reads the last lines of an account's statement, with the balance after each. */
export async function readStatement(store: BankStore, accountId: string): Promise<ShownTable> {
  const db = await store.query(statements)
  const lines = await db
    .selectFrom('entries')
    .select(['number', 'booked_at', 'entry', 'cents'])
    .select(sql<string>`sum(cents) over (order by number)`.as('balance'))
    .where('account_id', '=', accountId)
    .orderBy('number', 'desc')
    .limit(linesShown)
    .execute()
  return {
    head: [`statement of ${accountId}`, 'booked (UTC)', 'entry', 'cents', 'balance'],
    rows: lines
      .toReversed()
      .map(({ number, booked_at, entry, cents, balance }) => [
        `line ${number}`,
        booked_at.toISOString().slice(0, 19).replace('T', ' '),
        entry,
        `${cents}`,
        balance,
      ]),
  }
}
