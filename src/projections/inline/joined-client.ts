import type pg from 'pg'
import { type Connection, type KyselyLike, run } from '../../db/queryable.ts'

interface LaneStatement {
  readonly text: string
  readonly values?: unknown[]
  readonly types?: unknown
}

type Query = (statement: string | LaneStatement, values?: unknown[]) => Promise<unknown>

/**
 * Has lanes use the connection of a caller's transaction. They may issue statements without waiting, which a
 * client that the caller has made need not take: so one is sent after the answer to the one before.
 */
export function joinedClient(connection: Connection): pg.ClientBase {
  const send: Query =
    'executeQuery' in connection
      ? byKysely(connection)
      : (statement, values) => (connection as unknown as { query: Query }).query(statement, values)
  let last: Promise<unknown> = Promise.resolve()
  const query: Query = (statement, values) => {
    const answer = last.then(() => send(statement, values))
    last = answer.catch(() => {})
    return answer
  }
  return { query } as unknown as pg.ClientBase
}

/**
 * A Kysely transaction gives results in types of its own, so that a handler which reads by it could compute
 * with values of another kind than it declares: that is refused.
 */
function byKysely(connection: KyselyLike): Query {
  return async (statement, values = []) => {
    if (typeof statement === 'string')
      return { rows: await run(connection, { text: statement, values }) }
    if (statement.types !== undefined) {
      throw new Error(
        'a handler that reads cannot do so within a Kysely transaction: append with a `pg` client as `tx`',
      )
    }
    return { rows: await run(connection, { text: statement.text, values: statement.values ?? [] }) }
  }
}
