import { Kysely, PostgresDialect } from 'kysely'
import type { ReadonlyKysely } from 'kysely/readonly'
import type pg from 'pg'
import type { AnyEventDefinition } from '../core/event.ts'
import { versionSchema } from './ddl.ts'
import { exactPool } from './exact-pool.ts'
import type { AnyProjection, Projection } from './projection.ts'
import type { Row, Tables } from './table.ts'

/** The tables of a projection as Kysely sees them. */
export type QueryDatabase<T extends Tables> = { readonly [N in keyof T]: Row<T[N]> }

/** A read-only Kysely over the tables of a projection. */
export type ProjectionQuery<P> =
  P extends Projection<infer _D extends AnyEventDefinition, infer T>
    ? ReadonlyKysely<QueryDatabase<T>>
    : never

/**
 * Makes a Kysely over a projection: over the views on the live version, or over the tables of the
 * defined version itself. Its connections are the pool's; it is never destroyed.
 */
export function queryProjection(
  pool: pg.Pool,
  projection: AnyProjection,
  from: 'live' | 'defined',
): Kysely<unknown> {
  const schema = from === 'live' ? projection.viewSchema : versionSchema(projection)
  return new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: exactPool(pool) }),
  }).withSchema(schema)
}
