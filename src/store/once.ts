import type pg from 'pg'
import type { Json } from '../core/json.ts'
import { optionInvalid } from '../core/option-invalid.ts'
import { type LogNames, logNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'
import { transaction } from '../db/transaction.ts'

/** What an effect may give: what JSON can hold, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function without a result promises
export type OnceResult = Json | undefined | void

/** Where an effect is recorded: a pool, or a transaction to join. */
export type OnceConnection = pg.Pool | Connection

/** What the effect gets: a client within a transaction of its own, or the transaction that was given. */
export type OnceTransaction<C extends OnceConnection> = C extends pg.Pool ? pg.PoolClient : C

/**
 * Does something once: runs a function in a transaction, and stores its result there under scope and key.
 * Whoever comes with the same scope and key later gets that result, and the function is not run. Callers
 * who come at once wait for each other. When the function throws nothing of it is kept, and the next one
 * runs it.
 *
 * It promises that for what the function writes by `tx`, which commits together with the result. What it does
 * elsewhere, such as at another service, may happen again when the process dies before the commit: give
 * that service the same key.
 *
 * @param connection a pool, for a transaction of its own; or a `pg` client or a Kysely transaction that is
 *   in a transaction, which is joined.
 * @param scope what the key is unique within, such as `'inbox:payments'`.
 * @returns the result as JSON keeps it.
 * @throws OPTION_INVALID when the connection is not in a transaction; what the function throws.
 * @example
 * const { charge } = await once(pool, 'checkout', requestId, async (tx) => {
 *   await tx.query('insert into charges (request_id) values ($1)', [requestId])
 *   return { charge: requestId }
 * })
 */
export async function once<C extends OnceConnection, T extends OnceResult>(
  connection: C,
  scope: string,
  key: string,
  fn: (tx: OnceTransaction<C>) => Promise<T>,
  options: { readonly schema?: string } = {},
): Promise<T> {
  const names = logNames(options.schema)
  if (isPool(connection)) {
    return transaction(connection, (client) =>
      doOnce(client, names, scope, key, () => fn(client as unknown as OnceTransaction<C>)),
    )
  }
  return withSavepoint(connection, () =>
    doOnce(connection, names, scope, key, () => fn(connection as OnceTransaction<C>)),
  )
}

async function doOnce<T extends OnceResult>(
  connection: Connection,
  names: LogNames,
  scope: string,
  key: string,
  fn: () => Promise<T>,
): Promise<T> {
  // Waits for whoever has inserted the same and not committed yet.
  const claimed = await run<{ isClaimed: boolean }>(connection, {
    text: /* sql */ `
      insert into ${names.schema}.once_results (scope, key)
      values ($1, $2)
      on conflict do nothing
      returning true as "isClaimed"`,
    values: [scope, key],
  })
  if (claimed.length === 0) return readResult<T>(connection, names, scope, key)
  const text = JSON.stringify(await fn()) as string | undefined
  if (text !== undefined) {
    await run(connection, {
      text: /* sql */ `
        update ${names.schema}.once_results set result = $3 where scope = $1 and key = $2`,
      values: [scope, key, text],
    })
  }
  return (text === undefined ? undefined : JSON.parse(text)) as T
}

async function readResult<T>(
  connection: Connection,
  names: LogNames,
  scope: string,
  key: string,
): Promise<T> {
  const [row] = await run<{ result: string | null }>(connection, {
    text: /* sql */ `
      select result::text as result from ${names.schema}.once_results where scope = $1 and key = $2`,
    values: [scope, key],
  })
  return (row?.result == null ? undefined : JSON.parse(row.result)) as T
}

/** The caller may go on after an error: then what was done must be undone together with its record. */
async function withSavepoint<T>(connection: Connection, body: () => Promise<T>): Promise<T> {
  const say = (text: string) => run(connection, { text })
  await say('savepoint tidemark_once').catch((error: unknown) => {
    if (sqlstateOf(error) !== sqlstate.noActiveSqlTransaction) throw error
    throw optionInvalid('connection', 'begin a transaction on it first, or give a pool')
  })
  try {
    const result = await body()
    await say('release savepoint tidemark_once')
    return result
  } catch (error) {
    await say('rollback to savepoint tidemark_once')
    await say('release savepoint tidemark_once')
    throw error
  }
}

function isPool(connection: OnceConnection): connection is pg.Pool {
  return 'totalCount' in connection
}

/** Rows of one statement, so that none takes long. */
const batchSize = 10_000

/**
 * Deletes results that are older: what they name would be done anew. Workers do it by themselves.
 *
 * @returns how many there were.
 */
export async function forgetOnce(
  connection: Connection,
  olderThanMs: number,
  options: { readonly schema?: string; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const { schema } = logNames(options.schema)
  let total = 0
  for (;;) {
    const rows = await run<{ count: number }>(connection, {
      text: /* sql */ `
        with old as (
          delete from ${schema}.once_results
          where ctid = any (array(
            select ctid
            from ${schema}.once_results
            where recorded_at < clock_timestamp() - $1 * interval '1 millisecond'
            limit ${batchSize}
          ))
          returning true
        )
        select count(*)::integer as count from old`,
      values: [olderThanMs],
    })
    const count = rows[0]?.count ?? 0
    total += count
    if (count < batchSize || options.signal?.aborted === true) return total
  }
}
