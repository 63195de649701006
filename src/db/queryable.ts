import type { CompiledQuery, QueryResult } from 'kysely'

/** A statement with its values. `name` makes it prepared on the connection. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  readonly name?: string
}

export interface StatementResult {
  readonly rows: readonly unknown[]
}

/** What tidemark needs of a `pg` client, a `pg` pool or anything that behaves like one. */
export interface Queryable {
  // biome-ignore lint/suspicious/noExplicitAny: pg's overloads accept this, and narrower types refuse them
  query(statement: any): Promise<StatementResult>
}

/** What tidemark needs of a Kysely instance or transaction. */
export interface KyselyLike {
  executeQuery<R>(query: CompiledQuery<R>): Promise<QueryResult<R>>
}

/** Where a call is carried out: a `pg` client, a pool, or a Kysely instance or transaction. */
export type Connection = Queryable | KyselyLike

/**
 * Runs one statement and returns its rows. Columns arrive as the connection's own type parsers make
 * them, so statements that must be exact return text and parse it themselves.
 */
export async function run<Row>(
  connection: Connection,
  statement: Statement,
): Promise<readonly Row[]> {
  if (isKysely(connection)) {
    const { CompiledQuery } = await import('kysely')
    const values = [...(statement.values ?? [])]
    const result = await connection.executeQuery<Row>(CompiledQuery.raw(statement.text, values))
    return result.rows
  }
  const result = await connection.query(statement)
  return result.rows as readonly Row[]
}

function isKysely(connection: Connection): connection is KyselyLike {
  return 'executeQuery' in connection && typeof connection.executeQuery === 'function'
}
