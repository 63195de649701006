import type { LogNames } from '../db/log-names.ts'
import { type Connection, run, type Statement } from '../db/queryable.ts'
import { appendError } from './append-error.ts'

/** Runs a statement that appends, and answers with one row. */
export async function runAppend<Row>(
  connection: Connection,
  names: LogNames,
  statement: Statement,
): Promise<Row> {
  try {
    const [row] = await run<Row>(connection, statement)
    return row as Row
  } catch (error) {
    throw appendError(error, names.schema)
  }
}
