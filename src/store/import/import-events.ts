import type pg from 'pg'
import { optionInvalid } from '../../core/option-invalid.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { Token } from '../../core/token.ts'
import { connectionFailed, createPool } from '../../db/connect.ts'
import type { LogNames } from '../../db/log-names.ts'
import { tokenOf } from '../append-outcome.ts'
import { checkAppendKey } from '../check-append.ts'
import type { InlineWriter } from '../inline-writer.ts'
import { importBatch, makeDurable } from './import-batch.ts'
import { importError } from './import-error.ts'
import { type ImportedEvent, importInvalid } from './imported-event.ts'
import { type ImportBatch, readBatches } from './read-batches.ts'

export interface ImportOptions {
  /**
   * Names the import. Run again under its key, it goes on after the last event that is in the log, if
   * the source still has that one there. What lies before it is not looked at again.
   */
  readonly key: string
  /** Events in one transaction, from 1. Default 10,000. */
  readonly batchSize?: number
  /** Called after each transaction. */
  readonly onProgress?: (progress: ImportProgress) => void
  /** Stops after the transaction at hand. The next run under the key goes on from there. */
  readonly signal?: AbortSignal
}

/** How far an import has come. */
export interface ImportProgress {
  /** Events of the source that are in the log, those of earlier runs included. */
  readonly imported: bigint
  readonly eventsPerSecond: number
}

export interface ImportResult {
  /** Events of the source that are in the log now. */
  readonly imported: bigint
  /** Those of them that were in it before this run. */
  readonly skipped: bigint
  /** Names the transaction of the last of them, to wait for; undefined when there are none. */
  readonly token: Token | undefined
  /** Whole milliseconds. */
  readonly durationMs: number
}

export interface ImportContext {
  readonly connectionString: string
  readonly names: LogNames
  /** Most bytes of one event's data and metadata together, as JSON. Default 1 MiB. */
  readonly maxEventBytes?: number | undefined
  /** Applies inline projections to what is imported. */
  readonly inline?: InlineWriter | undefined
}

const defaultBatchSize = 10_000

/**
 * Imports events of another system by COPY, in their order, on a connection of its own. They keep
 * their ids, metadata and, where given, versions and times; versions are checked, so that no stream
 * gets a hole. Then they are events as all others: they get positions, projections apply them, and
 * reactors that run already react to them.
 *
 * Each batch is one transaction together with the note how far the import has come, and everything is
 * on disk when the call returns: an import that was stopped, killed or cut off, by a crash of the
 * server too, goes on exactly where it was when it is run again with the same
 * source and key. Appends go on meanwhile; those to streams of a batch, or all while a batch has over
 * 256 streams and tags, wait until it is committed.
 *
 * @param events read once, from the first one, a batch ahead at most.
 * @throws IMPORT_INVALID with the number of an event that cannot be imported; nothing of its batch
 *   was written. Also when the source is not the one that was imported under the key before.
 * @throws OPERATION_CANCELLED when the signal stopped it. Nothing is lost.
 */
export async function importEvents(
  context: ImportContext,
  events: AsyncIterable<ImportedEvent> | Iterable<ImportedEvent>,
  options: ImportOptions,
): Promise<ImportResult> {
  const { connectionString, names, maxEventBytes } = context
  const { key, batchSize = defaultBatchSize } = options
  requireOptions(key, batchSize)
  const began = performance.now()
  // Of one connection: batches come one after the other.
  const pool = createPool({
    connectionString,
    applicationName: 'tidemark import',
    pipeline: false,
    max: 1,
  })
  try {
    const before = await readImport(pool, context, key)
    const batches = readBatches({ events, ...before }, { batchSize, maxEventBytes })
    const { imported, token } = await importAll(pool, context, batches, before, options)
    if (imported > before.imported) await makeDurable(pool, names, key)
    const durationMs = Math.round(performance.now() - began)
    return { imported, skipped: before.imported, token, durationMs }
  } finally {
    await pool.end()
  }
}

interface ImportState {
  readonly imported: bigint
  readonly lastFingerprint: Buffer | null
  readonly token: Token | undefined
}

interface StateRow {
  readonly event_count: string
  readonly last_fingerprint: Buffer | null
  readonly incarnation: number | null
  readonly transaction_id: string | null
}

async function readImport(
  pool: pg.Pool,
  { connectionString, names }: ImportContext,
  key: string,
): Promise<ImportState> {
  const client = await pool.connect().catch((error: unknown) => {
    throw connectionFailed(connectionString, error)
  })
  try {
    const { rows } = await client.query<StateRow>(
      /* sql */ `
      select event_count::text, last_fingerprint, incarnation::integer, transaction_id::text
      from ${names.schema}.imports
      where key = $1`,
      [key],
    )
    const row = rows[0]
    if (row?.incarnation == null || row.transaction_id === null) {
      return { imported: 0n, lastFingerprint: null, token: undefined }
    }
    return {
      imported: BigInt(row.event_count),
      lastFingerprint: row.last_fingerprint,
      token: tokenOf(row.incarnation, row.transaction_id),
    }
  } catch (error) {
    throw importError(error, names.schema)
  } finally {
    client.release()
  }
}

async function importAll(
  pool: pg.Pool,
  { names, inline }: ImportContext,
  batches: AsyncGenerator<ImportBatch, void, void>,
  before: ImportState,
  { key, onProgress, signal }: ImportOptions,
): Promise<Pick<ImportState, 'imported' | 'token'>> {
  let { imported, token } = before
  const began = performance.now()
  const read = () => {
    const next = untilAborted(batches.next(), signal)
    // Heard when its turn comes.
    next.catch(() => {})
    return next
  }
  let isExhausted = false
  try {
    let reading = read()
    for (;;) {
      if (signal?.aborted === true) throw cancelled(key, imported)
      const { value: batch, done } = await reading
      if (done === true || batch === undefined) break
      // While the server is busy with this batch the next one is read.
      reading = read()
      token = await importBatch(pool, names, key, imported, batch, inline)
      imported += BigInt(batch.rows.length)
      const seconds = (performance.now() - began) / 1_000
      onProgress?.({ imported, eventsPerSecond: Number(imported - before.imported) / seconds })
    }
    isExhausted = true
    return { imported, token }
  } catch (error) {
    throw signal?.aborted === true ? cancelled(key, imported) : error
  } finally {
    // Not awaited: a source that hangs would hold the import up.
    if (!isExhausted) batches.return().catch(() => {})
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function requireOptions(key: string, batchSize: number): void {
  if (typeof key !== 'string') throw importInvalid('it has no `key`')
  checkAppendKey(key)
  if (Number.isSafeInteger(batchSize) && batchSize >= 1) return
  throw optionInvalid('batchSize', 'it is a whole number from 1')
}

function cancelled(key: string, imported: bigint): TidemarkError {
  const operation = `import "${key}"`
  return new TidemarkError(
    'OPERATION_CANCELLED',
    `the ${operation} was stopped after ${imported} events: run it again to go on from there`,
    { details: { operation } },
  )
}
