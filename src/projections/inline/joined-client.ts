import type pg from 'pg'
import { type Connection, run } from '../../db/queryable.ts'

/**
 * Has lanes use the connection of a caller's transaction. A Kysely transaction gives results in types of
 * its own, so that a handler which reads by it could compute with values of another kind than it declares:
 * that is refused.
 */
export function joinedClient(connection: Connection): pg.ClientBase {
  if (!('executeQuery' in connection)) return connection as unknown as pg.ClientBase
  const query = async (
    statement:
      | string
      | { readonly text: string; readonly values?: unknown[]; readonly types?: unknown },
    values: unknown[] = [],
  ) => {
    if (typeof statement === 'string')
      return { rows: await run(connection, { text: statement, values }) }
    if (statement.types !== undefined) {
      throw new Error(
        'a handler that reads cannot do so within a Kysely transaction: append with a `pg` client as `tx`',
      )
    }
    return { rows: await run(connection, { text: statement.text, values: statement.values ?? [] }) }
  }
  return { query } as unknown as pg.ClientBase
}
