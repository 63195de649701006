import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { pause } from '../../db/wait.ts'
import { argumentsArray, type CaptureArguments } from './capture-arguments.ts'
import { readTable, type TableFacts } from './captured-table.ts'
import { notCaptured } from './install-capture.ts'
import { readArguments } from './list-captures.ts'
import { tableError } from './lock-tables.ts'
import { refuseForeignCasts } from './refuse-foreign-casts.ts'

export interface CaptureSnapshotOptions {
  /** Rows to look at, and to hold, at once. Default 500. */
  readonly batchSize?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CaptureSnapshotResult) => void
}

/** How far a snapshot has come. */
export interface CaptureSnapshotResult {
  readonly table: string
  /** Rows that were looked at. */
  readonly rows: number
  /** Rows of which the log did not have the present state: an event was appended for each. */
  readonly captured: number
}

interface Snapshot {
  readonly pool: pg.Pool
  readonly table: TableFacts
  readonly capture: CaptureArguments
  readonly schema: string
}

/** Values of a row's key, as texts. */
type Key = readonly string[]

const defaults = { batchSize: 500 }

/** How long a row that somebody holds is waited for at once. */
const rowTimeoutMs = 2_000

/** Between attempts at rows that others hold. */
const retryMs = 50

/**
 * Appends `<as>.captured` for each row of a captured table, unless the last event of its stream has the row as
 * it is. So each row is in the log exactly once, whatever happens to it meanwhile; a snapshot that was
 * cut off is begun again and goes on where it was; and one that is made after a gap, or with other columns,
 * brings the log up to date. Rows that were deleted while there was no capture are not noticed.
 *
 * Each batch is a transaction that holds its rows. Rows that others hold are left for the end, and then
 * waited for one by one: it never waits while others wait for it.
 *
 * Runs as who calls it, and so refuses a table whose types bring casts of others along.
 *
 * @throws TABLE_NOT_CAPTURED, TABLE_NOT_CAPTURABLE, PRIVILEGE_MISSING, OPERATION_CANCELLED
 */
export async function snapshotCapture(
  pool: pg.Pool,
  names: LogNames,
  tableName: string,
  options: CaptureSnapshotOptions = {},
): Promise<CaptureSnapshotResult> {
  const { batchSize = defaults.batchSize, signal, onProgress } = options
  const { table, capture } = await open(pool, names, tableName)
  const snapshot: Snapshot = { pool, table, capture, schema: names.schema }
  let result: CaptureSnapshotResult = { table: table.sqlName, rows: 0, captured: 0 }
  const busy: Key[] = []
  const add = (rows: number, captured: number) => {
    result = { ...result, rows: result.rows + rows, captured: result.captured + captured }
    onProgress?.(result)
  }
  try {
    for (let after: Key | null = null; ; ) {
      refuseCancelled(signal)
      const keys = await readKeys(snapshot, after, batchSize)
      const last = keys.at(-1)
      if (last === undefined) break
      const done = await captureBatch(snapshot, keys, 'skip locked')
      busy.push(...done.held)
      add(keys.length - done.held.length, done.captured)
      after = last
    }
    for (const key of busy) add(1, await captureHeld(snapshot, key, signal))
    return result
  } catch (error) {
    throw tableError(error, table.sqlName, rowTimeoutMs)
  }
}

async function open(
  pool: pg.Pool,
  names: LogNames,
  tableName: string,
): Promise<Pick<Snapshot, 'table' | 'capture'>> {
  const client = await pool.connect()
  try {
    const table = await readTable(client, tableName)
    const capture = await readArguments(client, names, table.sqlName)
    if (capture === undefined) throw notCaptured(table.sqlName)
    await refuseForeignCasts(client, table)
    return { table, capture }
  } finally {
    client.release()
  }
}

/** Waits for a row that somebody holds, alone: a transaction with one lock is no part of a deadlock. */
async function captureHeld(
  snapshot: Snapshot,
  key: Key,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (;;) {
    refuseCancelled(signal)
    try {
      return (await captureBatch(snapshot, [key], '')).captured
    } catch (error) {
      if (sqlstateOf(error) !== sqlstate.lockNotAvailable) throw error
    }
    await pause(retryMs, signal ?? never)
  }
}

const never = new AbortController().signal

function refuseCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new TidemarkError(
    'OPERATION_CANCELLED',
    'the snapshot was cancelled: begin it again, and it goes on where it was',
    { details: { operation: 'snapshot of a captured table' }, cause: signal.reason },
  )
}

/** Reads the keys that follow, in the order of the index. */
async function readKeys(
  { pool, table, capture }: Snapshot,
  after: Key | null,
  limit: number,
): Promise<readonly Key[]> {
  const columns = capture.key.map(quoteIdent).join(', ')
  const texts = capture.key.map((name) => `${quoteIdent(name)}::text`).join(', ')
  return transaction(pool, async (client) => {
    await client.query(sameTexts)
    const { rows } = await client.query<{ key: Key }>({
      text: /* sql */ `
        select array[${texts}] as key
        from ${table.sqlName}
        ${after === null ? '' : `where (${columns}) > (${placeholders(table, capture)})`}
        order by ${columns}
        limit ${limit}`,
      values: after === null ? [] : [...after],
    })
    return rows.map(({ key }) => key)
  })
}

interface BatchResult {
  readonly captured: number
  /** Those that others held. */
  readonly held: readonly Key[]
}

/** Appends what is missing for some rows, which nobody changes until it is committed. */
async function captureBatch(
  { pool, table, capture, schema }: Snapshot,
  keys: readonly Key[],
  wait: 'skip locked' | '',
): Promise<BatchResult> {
  const { columns, given } = keyColumns(capture)
  const values = capture.key.map((_, index) => keys.map((key) => key[index]))
  return transaction(
    pool,
    async (client) => {
      await client.query(sameTexts)
      const { rows: found } = await client.query<{ ordinality: string }>(
        /* sql */ `
        select k.ordinality
        from unnest(${given}) with ordinality as k (${aliases(capture)}, ordinality)
        join ${table.sqlName} as t on (${columns}) = (${typedAliases(table, capture)})`,
        values,
      )
      // A statement of its own, and the events by another one: it sees what was committed before the rows
      // were held.
      const { rows: held } = await client.query<{ ordinality: string }>(
        /* sql */ `
        select k.ordinality
        from unnest(${given}) with ordinality as k (${aliases(capture)}, ordinality)
        join ${table.sqlName} as t on (${columns}) = (${typedAliases(table, capture)})
        for no key update of t ${wait}`,
        values,
      )
      const own = new Set(held.map(({ ordinality }) => Number(ordinality) - 1))
      const ownValues = values.map((column) => column.filter((_, index) => own.has(index)))
      const { rows } = await client.query<{ count: string }>(
        /* sql */ `
        select count(*) filter (
          where ${schema}.capture_existing(to_jsonb(t.*), $${values.length + 1}::text[], $${values.length + 2})
        )::text as count
        from unnest(${given}) as k (${aliases(capture)})
        join ${table.sqlName} as t on (${columns}) = (${typedAliases(table, capture)})`,
        [...ownValues, argumentsArray(capture), table.sqlName],
      )
      const others = found.map(({ ordinality }) => Number(ordinality) - 1)
      return {
        captured: Number(rows[0]?.count),
        held: others.filter((index) => !own.has(index)).map((index) => keys[index] as Key),
      }
    },
    { lockTimeoutMs: rowTimeoutMs, isolation: 'read committed' },
  )
}

/** As the functions of the triggers write values. */
const sameTexts = /* sql */ `
  set local timezone = 'UTC';
  set local datestyle = 'ISO, YMD';
  set local intervalstyle = 'postgres';
  set local bytea_output = 'hex';
  set local extra_float_digits = 1;
  set local row_security = off`

function keyColumns({ key }: CaptureArguments) {
  return {
    columns: key.map((name) => `t.${quoteIdent(name)}`).join(', '),
    given: key.map((_, index) => `$${index + 1}::text[]`).join(', '),
  }
}

function aliases({ key }: CaptureArguments): string {
  return key.map((_, index) => `k${index}`).join(', ')
}

function typedAliases(table: TableFacts, { key }: CaptureArguments): string {
  return key.map((name, index) => `k.k${index}::${typeOf(table, name)}`).join(', ')
}

function placeholders(table: TableFacts, { key }: CaptureArguments): string {
  return key.map((name, index) => `$${index + 1}::text::${typeOf(table, name)}`).join(', ')
}

/** The server's own text of the type. */
function typeOf(table: TableFacts, name: string): string {
  const type = table.columns.find((column) => column.name === name)?.type
  if (type === undefined) throw notCaptured(table.sqlName)
  return type
}
