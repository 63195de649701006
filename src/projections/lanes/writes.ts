import {
  type Compilable,
  type CompiledQuery,
  Kysely,
  PostgresDialect,
  type RawBuilder,
} from 'kysely'
import type pg from 'pg'
import { borrowedPool } from '../query/exact-pool.ts'
import type { Tables } from '../tables/table.ts'
import { EncodeValues } from './encode-values.ts'

/** A statement that was not carried out: a Kysely query, or SQL by Kysely's `sql`. */
export type Write = Compilable | RawBuilder<unknown>

/**
 * What a handler asks for: statements, in this order, or null for none. Not undefined, which is what a
 * handler returns that forgets to return its statement.
 */
export type Writes = Write | readonly Write[] | null

/** Makes a Kysely over the tables of one version, on a connection with a chunk's transaction. */
export function writerOf(client: pg.ClientBase, tables: Tables, schema: string): Kysely<unknown> {
  return new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: borrowedPool(client) }),
    plugins: [new EncodeValues(tables)],
  }).withSchema(schema)
}

/** Lists the statements that a handler asked for. */
export function compileWrites(db: Kysely<unknown>, writes: Writes): readonly CompiledQuery[] {
  if (writes === null) return []
  const list: readonly Write[] = isList(writes) ? writes : [writes]
  return list.map((write) => {
    if (typeof (write as { compile?: unknown } | null)?.compile !== 'function') {
      throw new TypeError('a handler returns Kysely queries, `sql`, or null for nothing to write')
    }
    return (write as RawBuilder<unknown>).compile(db)
  })
}

function isList(writes: Write | readonly Write[]): writes is readonly Write[] {
  return Array.isArray(writes)
}
