import type pg from 'pg'
import { transaction } from '../../db/transaction.ts'
import { enterSchemas } from '../enter-schemas.ts'
import { readPages, type TextRow } from './user-query.ts'

export interface SqlResult {
  readonly columns: readonly string[]
  /** Values as Postgres writes them. */
  readonly rows: readonly TextRow[]
  /** Whether there are more rows than were asked for. */
  readonly hasMore: boolean
}

/**
 * Runs one query in SQL in which names without a schema mean tables of the given schemas, the first ones
 * first, and else what the session's own search path holds. It can write nothing.
 *
 * @throws OPTION_INVALID when it is not one query that reads.
 */
export async function readSql(
  pool: pg.Pool,
  schemas: readonly string[],
  text: string,
  maxRows: number,
): Promise<SqlResult> {
  return transaction(pool, async (client) => {
    await client.query('set transaction read only')
    await enterSchemas(client, schemas)
    const rows: TextRow[] = []
    let columns: readonly string[] = []
    for await (const page of readPages(client, text, 'the query')) {
      columns = page.columns
      rows.push(...page.rows.slice(0, maxRows + 1 - rows.length))
      if (rows.length > maxRows) break
    }
    return { columns, rows: rows.slice(0, maxRows), hasMore: rows.length > maxRows }
  })
}
