import { Kysely, PostgresDialect } from 'kysely'
import type { ReadonlyKysely } from 'kysely/readonly'
import type pg from 'pg'
import type { AnyEventDefinition } from '../../core/event.ts'
import type { AnyProjection, Projection } from '../projection.ts'
import type { Row, Tables } from '../tables/table.ts'
import { type ExplainError, readingPool } from './exact-pool.ts'
import { SchemaAliases } from './schema-aliases.ts'

/** The tables of a projection as Kysely sees them. */
export type QueryDatabase<T extends Tables> = { readonly [N in keyof T]: Row<T[N]> }

/** One projection to query; or several, by the name under which a query means each. */
export type Queried = AnyProjection | { readonly [Alias in string]: AnyProjection }

/** A read-only Kysely over the tables of a projection, or of several: `alias.table`. */
export type ProjectionQuery<Q> =
  Q extends Projection<infer _D extends AnyEventDefinition, infer T, boolean>
    ? ReadonlyKysely<QueryDatabase<T>>
    : ReadonlyKysely<JoinedDatabase<Q>>

type JoinedDatabase<S> = Intersection<
  {
    [Alias in keyof S & string]: S[Alias] extends Projection<
      infer _D extends AnyEventDefinition,
      infer T,
      boolean
    >
      ? { readonly [N in keyof T & string as `${Alias}.${N}`]: Row<T[N]> }
      : never
  }[keyof S & string]
>

type Intersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? { [N in keyof I]: I[N] }
  : never

/** Lists the projections that are queried. */
export function listQueried(queried: Queried): readonly AnyProjection[] {
  return isProjection(queried) ? [queried] : Object.values(queried)
}

/**
 * Makes a Kysely over projections, in the schemas that hold what is to be read. Its connections are the
 * pool's; it is never destroyed.
 *
 * @param explain gives what to throw for the server's error.
 */
export function queryProjections(
  pool: pg.Pool,
  queried: Queried,
  schemaOf: (projection: AnyProjection) => string,
  explain?: ExplainError,
): Kysely<unknown> {
  const dialect = new PostgresDialect({ pool: readingPool(pool, explain) })
  if (isProjection(queried)) return new Kysely<unknown>({ dialect }).withSchema(schemaOf(queried))
  const schemas = Object.entries(queried).map(
    ([alias, projection]) => [alias, schemaOf(projection)] as const,
  )
  return new Kysely<unknown>({ dialect, plugins: [new SchemaAliases(new Map(schemas))] })
}

function isProjection(queried: Queried): queried is AnyProjection {
  return typeof queried.viewSchema === 'string'
}
