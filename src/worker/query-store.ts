import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { settleAll } from '../db/settle-all.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { type AsOfOptions, asOf } from '../projections/query/as-of.ts'
import {
  listQueried,
  type ProjectionQuery,
  type Queried,
  queryProjections,
} from '../projections/query/query.ts'
import type { QueryOptions } from '../projections/query/query-options.ts'
import { readSql, type SqlResult } from '../projections/query/read-sql.ts'
import { ReadableProjections } from '../projections/query/readable-projections.ts'
import { versionSchema } from '../projections/tables/ddl.ts'
import type { LogMoment } from '../subscriptions/log-moment.ts'
import { isStale, waitUntilShown } from '../subscriptions/wait-for.ts'
import { toTarget } from './wait-target.ts'

export interface ReadSqlOptions extends AsOfOptions {
  /** The moment to look at. Default: now. */
  readonly at?: LogMoment
  /** Which tables, without `at`: those of the live version (default), or of the one that is defined. */
  readonly from?: 'live' | 'defined'
  /** Rows to return at most. Default 1,000. */
  readonly maxRows?: number
}

export interface ReadSqlResult extends SqlResult {
  /** Of `at`: the position as of which the projections were built. Null for what is there now. */
  readonly position: bigint | null
}

/** The part of a store that reads projections. */
export interface QueryStore {
  /**
   * Gives a Kysely over a projection, typed by its definition, that can write nothing; or over several, given as
   * `{ orders, customers }`, to join them: `selectFrom('orders.order_list')`. Tables of your own join by
   * `withTables`, named with their schema: `public.users`.
   *
   * @throws WAIT_TIMED_OUT and what else `waitFor` throws, when `after` is given.
   * @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN, and PROJECTION_DRIFTED when the version that is read
   *   lacks what the definition declares: at the first query of a definition, and by a query that fails of it.
   */
  query<const Q extends Queried>(queried: Q, options?: QueryOptions): Promise<ProjectionQuery<Q>>

  /**
   * Queries projections as they stood at a position or a time, in tables that are built for it and
   * dropped when `use` has ended. See `asOf`.
   *
   * @example
   * const total = await store.asOf(new Date('2026-11-17'), orders, (db) =>
   *   db.selectFrom('order_list').select((eb) => eb.fn.sum('cents').as('cents')).executeTakeFirst())
   */
  asOf<const Q extends Queried, T>(
    at: LogMoment,
    queried: Q,
    use: (db: ProjectionQuery<Q>, position: bigint) => Promise<T>,
    options?: AsOfOptions,
  ): Promise<T>

  /**
   * Runs one query in SQL that may name the tables of projections without their schema; on the live
   * versions, or as of a moment in the past. It can write nothing.
   *
   * @throws OPTION_INVALID when it is not one query that reads; what else {@link QueryStore.query} and
   *   {@link QueryStore.asOf} throw.
   */
  readSql(queried: Queried, text: string, options?: ReadSqlOptions): Promise<ReadSqlResult>
}

/** Makes the part of a store that reads projections. */
export function queryStore(pool: pg.Pool, names: LogNames): QueryStore {
  const readable = new ReadableProjections(pool, names)
  return {
    query: async (queried, { after, from = 'live', onTimeout = 'throw', ...wait } = {}) => {
      const waitings = listQueried(queried).map(async (projection) => {
        if (after != null)
          await waitUntilShown(pool, names, after, toTarget(projection, from), wait)
      })
      await settleAll(waitings).catch((error: unknown) => {
        if (onTimeout === 'throw' || !isStale(error)) throw error
      })
      const projections = listQueried(queried)
      await readable.require(projections, from)
      const schemaOf = from === 'live' ? viewSchemaOf : versionSchema
      return queryProjections(pool, queried, schemaOf, (client, error) =>
        readable.explain(projections, from, error, client),
      ) as never
    },
    asOf: (at, queried, use, building) =>
      asOf(
        { pool, names },
        at,
        listQueried(queried),
        (schemaOf, position) => use(queryProjections(pool, queried, schemaOf) as never, position),
        building,
      ),
    readSql: async (queried, text, { at, from = 'live', maxRows = 1_000, ...building } = {}) => {
      const projections = listQueried(queried)
      if (at === undefined) {
        await readable.require(projections, from)
        const schemaOf = from === 'live' ? viewSchemaOf : versionSchema
        const read = readSql(pool, projections.map(schemaOf), text, maxRows)
        const result = await read.catch(async (error: unknown) => {
          throw await readable.explain(projections, from, error)
        })
        return { ...result, position: null }
      }
      return asOf(
        { pool, names },
        at,
        projections,
        async (schemaOf, position) => ({
          ...(await readSql(pool, projections.map(schemaOf), text, maxRows)),
          position,
        }),
        building,
      )
    },
  }
}

function viewSchemaOf({ viewSchema }: AnyProjection): string {
  return viewSchema
}
