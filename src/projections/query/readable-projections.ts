import type pg from 'pg'
import { isTidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import type { Connection } from '../../db/queryable.ts'
import { settleAll } from '../../db/settle-all.ts'
import { isNotUnderstood } from '../../db/sqlstate.ts'
import type { AnyProjection } from '../projection.ts'
import { requireReadable } from './require-readable.ts'

/** Which tables are read: those of the live version, or of the version that is defined. */
export type ReadFrom = 'live' | 'defined'

/** Looks once whether queries of a definition will find what it declares, and again when one does not. */
export class ReadableProjections {
  readonly #pool: pg.Pool
  readonly #names: LogNames
  readonly #known = { live: new Set<AnyProjection>(), defined: new Set<AnyProjection>() }

  constructor(pool: pg.Pool, names: LogNames) {
    this.#pool = pool
    this.#names = names
  }

  /** @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN, PROJECTION_DRIFTED */
  async require(projections: readonly AnyProjection[], from: ReadFrom): Promise<void> {
    const known = this.#known[from]
    const unknown = projections.filter((projection) => !known.has(projection))
    await settleAll(
      unknown.map(async (projection) => {
        await requireReadable(this.#pool, this.#names, projection, from)
        known.add(projection)
      }),
    )
  }

  /**
   * Finds out whether a query failed because a projection has drifted since it was looked at.
   *
   * @param connection on which no transaction is aborted. Default: the pool.
   * @returns what to throw.
   */
  async explain(
    projections: readonly AnyProjection[],
    from: ReadFrom,
    error: unknown,
    connection: Connection = this.#pool,
  ): Promise<unknown> {
    if (!isNotUnderstood(isTidemarkError(error) ? error.cause : error)) return error
    for (const projection of projections) {
      const found = await requireReadable(connection, this.#names, projection, from).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (!isTidemarkError(found)) continue
      this.#known[from].delete(projection)
      found.cause = error
      return found
    }
    return error
  }
}
