import type pg from 'pg'
import { isTidemarkError, type TidemarkError } from '../../core/tidemark-error.ts'
import type { Token } from '../../core/token.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { tokenOf } from '../append-outcome.ts'
import type { InlineWriter } from '../inline-writer.ts'
import { copyRows } from './copy-rows.ts'
import type { ImportRow } from './encode-row.ts'
import { importError } from './import-error.ts'
import { eventNotImportable, importInvalid } from './imported-event.ts'
import { findMisplaced, placeRows, streamsOf } from './place-rows.ts'
import type { ImportBatch } from './read-batches.ts'

interface BegunRow {
  readonly versions: readonly string[] | null
  readonly recorded_at: string
}

interface EndedRow {
  readonly incarnation: number
  readonly transaction_id: string
}

/**
 * Imports a batch in one transaction, with the note that it is imported. Durable once
 * {@link makeDurable} has returned: should the server crash before, it forgets both.
 *
 * @param imported how many events of the source are in the log before.
 * @param inline applies inline projections to the batch.
 * @throws IMPORT_INVALID and nothing of the batch was written.
 */
export async function importBatch(
  pool: pg.Pool,
  names: LogNames,
  key: string,
  imported: bigint,
  batch: ImportBatch,
  inline?: InlineWriter,
): Promise<Token> {
  const importing = (client: pg.PoolClient) => {
    const writing = () => write(client, names, key, imported, batch)
    return inline === undefined ? writing() : inline.append(client, null, writing)
  }
  // Of any other isolation, the locks would come after the snapshot.
  const options = { durable: false, isolation: 'read committed' } as const
  return transaction(pool, importing, options).catch(async (error: unknown) => {
    throw isTidemarkError(error) ? error : await explain(pool, names, batch.rows, error)
  })
}

/** Waits until all batches of an import are on disk, as the server is set. */
export async function makeDurable(pool: pg.Pool, names: LogNames, key: string): Promise<void> {
  // A commit is on disk when everything before it is.
  const touch = `update ${names.schema}.imports set changed_at = clock_timestamp() where key = $1`
  await pool.query(touch, [key])
}

async function write(
  client: pg.PoolClient,
  names: LogNames,
  key: string,
  imported: bigint,
  { rows, lastFingerprint }: ImportBatch,
): Promise<Token> {
  const { ids, unplaced } = streamsOf(rows)
  const tags = rows.some((row) => row.tags !== null) ? rows.map((row) => row.tags) : null
  const { rows: begun } = await client.query<BegunRow>(
    `select versions::text[], recorded_at from ${names.schema}.begin_import($1, $2, $3, $4, $5)`,
    [key, imported, unplaced, ids, tags],
  )
  const { versions, recorded_at: now } = begun[0] as BegunRow
  if (versions === null) throw carriedOn(key)
  const current = new Map(unplaced.map((id, index) => [id, BigInt(versions[index] ?? 0)]))
  await copyRows(client, names, rows, placeRows(rows, current), now)
  const { rows: ended } = await client.query<EndedRow>(
    /* sql */ `
    select incarnation::integer, transaction_id::text
    from ${names.schema}.end_import($1, $2, $3)`,
    [key, imported + BigInt(rows.length), lastFingerprint],
  )
  const { incarnation, transaction_id: transactionId } = ended[0] as EndedRow
  return tokenOf(incarnation, transactionId)
}

/** Finds out which event it was that the server refused. */
async function explain(
  pool: pg.Pool,
  names: LogNames,
  rows: readonly ImportRow[],
  error: unknown,
): Promise<unknown> {
  const state = sqlstateOf(error)
  if (state === sqlstate.versionHole || state === sqlstate.uniqueViolation) {
    return (await lookUpMisplaced(pool, names, rows)) ?? error
  }
  const mapped = importError(error, names.schema)
  const row = rows[lineOf(error) - 1]
  if (row === undefined || !isTidemarkError(mapped, 'APPEND_INVALID')) return mapped
  const { reason } = mapped.details
  return eventNotImportable(row.number, row.streamId, `is refused by the server: ${reason}`, error)
}

async function lookUpMisplaced(
  pool: pg.Pool,
  names: LogNames,
  rows: readonly ImportRow[],
): Promise<TidemarkError | undefined> {
  const { ids } = streamsOf(rows)
  const { rows: found } = await pool.query<{ versions: string[] }>(
    `select ${names.schema}.stream_versions($1)::text[] as versions`,
    [ids],
  )
  const versions = found[0]?.versions ?? []
  return findMisplaced(rows, new Map(ids.map((id, index) => [id, BigInt(versions[index] ?? 0)])))
}

/** Line of the COPY at which an error arose, from 1; 0 when it did not arise at one. */
function lineOf(error: unknown): number {
  const isError = typeof error === 'object' && error !== null && 'where' in error
  return Number(/COPY \w+, line (\d+)/.exec(isError ? String(error.where) : '')?.[1] ?? 0)
}

function carriedOn(key: string): TidemarkError {
  return importInvalid(`another process carries on the import "${key}": let it finish`)
}
