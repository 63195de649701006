import type pg from 'pg'
import { optionInvalid } from '../../core/option-invalid.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { quoteLiteral } from '../../db/quote-literal.ts'
import { type CaptureArguments, encodeArguments } from './capture-arguments.ts'
import { notCapturable, readTable, requireCapturable, type TableFacts } from './captured-table.ts'
import { chooseFilter, chooseKey, isExact, recordedColumns } from './choose-columns.ts'
import { findCapture, listCaptures } from './list-captures.ts'
import { lockingTables } from './lock-tables.ts'
import { refuseInlineEvents } from './refuse-inline-events.ts'

export interface CaptureOptions {
  /** Category of the streams, which begins the event types too: `order` for `order-17` and `order.created`. */
  readonly as: string
  /** Columns to record, besides the key. Default: all, also those that are added later. */
  readonly columns?: readonly string[]
  /** Columns to leave out. */
  readonly except?: readonly string[]
  /** Columns of a unique index that name the stream. Default: the primary key. */
  readonly key?: readonly string[]
  /** Schema version of the events: raise it when the table's columns change their meaning. Default 1. */
  readonly schemaVersion?: number
  /** How long to wait for transactions that write the table, while further ones wait. Default 2,000. */
  readonly lockTimeoutMs?: number
}

/** A table that was captured. */
export interface CaptureResult {
  /** The table, with its schema. */
  readonly table: string
  readonly category: string
  readonly key: readonly string[]
  /** Columns that are recorded now. */
  readonly columns: readonly string[]
}

const defaults = { schemaVersion: 1, lockTimeoutMs: 2_000 }

/**
 * Has every change of a table's rows append an event, in the transaction that makes it: `<as>.created`,
 * `<as>.changed` and `<as>.deleted`, in stream `<as>-<key>`. Called again, it changes what is recorded.
 *
 * Waits for the transactions that write the table, because none may be half captured; then the table is
 * captured from the commit on. Rows that are there already have no events: see `snapshotCapture`.
 *
 * @param table name of the table as SQL writes it: `public.orders`.
 * @throws TABLE_NOT_CAPTURABLE, OPTION_INVALID, LOCK_TIMED_OUT, PRIVILEGE_MISSING
 */
export async function installCapture(
  pool: pg.Pool,
  names: LogNames,
  table: string,
  options: CaptureOptions,
): Promise<CaptureResult> {
  const { lockTimeoutMs = defaults.lockTimeoutMs } = options
  requireCategory(options.as)
  requireSchemaVersion(options.schemaVersion ?? defaults.schemaVersion)
  return lockingTables(pool, { table, lockTimeoutMs, names }, async (client) => {
    await refuseInlineEvents(client, names, options.as)
    const facts = await readTable(client, table)
    requireCapturable(facts, names)
    await client.query(`lock table ${facts.sqlName} in share row exclusive mode`)
    // Once more: nobody changes it now.
    const locked = await readTable(client, facts.sqlName)
    await refuseOthers(client, names, locked, options.as)
    const capture = describe(locked, options)
    await createTriggers(client, names, locked, capture)
    const { category, key, known } = capture
    return { table: locked.sqlName, category, key, columns: known }
  })
}

function describe(table: TableFacts, options: CaptureOptions): CaptureArguments {
  const key = chooseKey(table, options.key)
  const filter = chooseFilter(table, key, options)
  const recorded = recordedColumns(table, filter)
  return {
    category: options.as,
    schemaVersion: options.schemaVersion ?? defaults.schemaVersion,
    exact: recorded.filter(isExact).map(({ name }) => name),
    filter,
    known: recorded.map(({ name }) => name),
    key,
  }
}

/** @throws TABLE_NOT_CAPTURABLE when the category is another table's, or the table has another one. */
async function refuseOthers(
  client: pg.ClientBase,
  names: LogNames,
  { sqlName }: TableFacts,
  category: string,
): Promise<void> {
  const captures = await listCaptures(client, names)
  const same = captures.find((one) => one.table === sqlName)
  if (same !== undefined && same.category !== category) {
    throw notCapturable(sqlName, `it is captured as "${same.category}": remove that first`)
  }
  const other = captures.find((one) => one.category === category && one.table !== sqlName)
  if (other !== undefined) {
    throw notCapturable(sqlName, `table ${other.table} is captured as "${category}"`)
  }
}

/** The names of the triggers of a log's captures: of each pair, the first hands over to the second. */
export function triggerNames({ schema }: LogNames) {
  // Triggers fire in the order of their names: before others can change the row again, whose events
  // would come first then.
  const name = `00_${schema}_capture`
  return {
    row: [`${name}_1`, `${name}_2`],
    truncate: [`${name}_truncate_1`, `${name}_truncate_2`],
  } as const
}

/** Replaces the triggers, so that there is no moment without. They fire in every replication role. */
async function createTriggers(
  client: pg.ClientBase,
  names: LogNames,
  table: TableFacts,
  capture: CaptureArguments,
): Promise<void> {
  const { schema } = names
  const values = encodeArguments(capture).map(quoteLiteral).join(', ')
  const { row, truncate } = triggerNames(names)
  const create = async (name: string, on: string, call: string) => {
    await client.query(/* sql */ `
      create or replace trigger ${quoteIdent(name)} ${on} execute function ${schema}.${call}`)
  }
  const onRow = `after insert or update or delete on ${table.sqlName} for each row`
  await create(row[0], onRow, 'hand_over_row()')
  await create(row[1], onRow, `capture_row(${values})`)
  await enableAlways(client, table.sqlName, row)
  // A partition may be truncated by itself; with the whole table, each of them is.
  for (const leaf of table.leaves) {
    const onTruncate = `before truncate on ${leaf} for each statement`
    await create(truncate[0], onTruncate, 'hand_over_rows()')
    await create(truncate[1], onTruncate, `capture_truncate(${values})`)
    await enableAlways(client, leaf, truncate)
  }
}

async function enableAlways(
  client: pg.ClientBase,
  table: string,
  triggers: readonly string[],
): Promise<void> {
  for (const name of triggers) {
    await client.query(`alter table ${table} enable always trigger ${quoteIdent(name)}`)
  }
}

async function dropTriggers(
  client: pg.ClientBase,
  table: string,
  triggers: readonly string[],
): Promise<void> {
  for (const name of triggers) {
    await client.query(`drop trigger if exists ${quoteIdent(name)} on ${table}`)
  }
}

function requireCategory(category: string): void {
  if (/^[a-z][a-zA-Z0-9_]*(\.[a-z][a-zA-Z0-9_]*)*$/.test(category) && category.length <= 100) return
  throw optionInvalid('as', 'words of letters, digits and _, parted by dots, such as "shop.order"')
}

function requireSchemaVersion(version: number): void {
  if (Number.isInteger(version) && version >= 1 && version <= 32_767) return
  throw optionInvalid('schemaVersion', 'a whole number from 1 to 32767')
}

/**
 * Takes the triggers of a capture away. Events stay; what happens to the rows from now on appends none.
 *
 * @throws TABLE_NOT_CAPTURED, LOCK_TIMED_OUT, PRIVILEGE_MISSING
 */
export async function removeCapture(
  pool: pg.Pool,
  names: LogNames,
  table: string,
  options: Pick<CaptureOptions, 'lockTimeoutMs'> = {},
): Promise<{ readonly table: string; readonly category: string }> {
  const { lockTimeoutMs = defaults.lockTimeoutMs } = options
  return lockingTables(pool, { table, lockTimeoutMs, names }, async (client) => {
    const facts = await readTable(client, table).catch((error: unknown) => {
      if (error instanceof TidemarkError) throw notCaptured(table)
      throw error
    })
    const capture = await findCapture(client, names, facts.sqlName)
    if (capture === undefined) throw notCaptured(facts.sqlName)
    const { row, truncate } = triggerNames(names)
    await dropTriggers(client, facts.sqlName, row)
    for (const leaf of facts.leaves) await dropTriggers(client, leaf, truncate)
    return { table: facts.sqlName, category: capture.category }
  })
}

/** Makes the error for a table without a capture. */
export function notCaptured(table: string): TidemarkError {
  return new TidemarkError(
    'TABLE_NOT_CAPTURED',
    `table ${table} is not captured: \`tidemark capture --list\` shows which are`,
    { details: { table } },
  )
}
