import { v7 as uuidV7 } from 'uuid'
import type { NewEvent } from '../core/event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { formatToken, type Token } from '../core/token.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { appendError } from './append-error.ts'
import { encodeEvents, encodePlaces } from './encode-events.ts'

/**
 * What the writer expects of the stream: `'any'` (never fails on a race, queues behind other
 * writers), `'absent'` (version 0), `'present'` (version above 0), or the exact version it saw.
 */
export type Expectation = 'any' | 'absent' | 'present' | bigint

/** Events for one stream, with what the writer expects of it. Default `'any'`. */
export interface StreamAppend {
  readonly streamId: string
  readonly events: readonly NewEvent[]
  readonly expect?: Expectation
}

export interface AppendResult {
  readonly streamId: string
  /** The stream's version after the append: that of its last event. */
  readonly version: bigint
  /** Names the transaction. Wait for it once it has committed. */
  readonly token: Token
}

interface TransactionRow {
  readonly incarnation: number
  readonly transaction_id: string
}

interface OneRow extends TransactionRow {
  readonly conflict: boolean
  readonly version: string
}

interface ManyRow extends TransactionRow {
  readonly conflicts: readonly boolean[]
  readonly versions: readonly string[]
}

/** Makes the id of an event that has none. */
export type NewEventId = () => string

/**
 * Appends events to one stream in one statement. Alone on a pool the statement is its own
 * transaction; on a client or a Kysely transaction it joins the caller's. A conflict is found before
 * anything is written, so it leaves the caller's transaction usable.
 *
 * Writers of one stream take turns until the end of their transactions; writers of different streams
 * never wait for each other.
 *
 * @throws STREAM_VERSION_CONFLICT with the actual version: read again and decide anew.
 * @throws TRANSACTION_STALE when the caller's transaction, of isolation repeatable read or higher, lost
 *   a race that its snapshot does not show: begin it anew.
 * @throws APPEND_INVALID, STREAM_ID_INVALID
 */
export async function appendToStream(
  connection: Connection,
  names: LogNames,
  append: StreamAppend,
  newId: NewEventId = uuidV7,
): Promise<AppendResult> {
  const expect = checkAppend(append)
  const { streamId } = append
  const [row] = await query<OneRow>(connection, names, {
    name: `tidemark-append-${names.schema}`,
    text: /* sql */ `
      select conflict, version::text, incarnation::integer, transaction_id::text
      from ${names.schema}.append_stream($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [streamId, expect, ...encodeEvents(append.events, newId)],
  })
  const version = BigInt(row.version)
  if (row.conflict) throw conflict(streamId, expect, version)
  return { streamId, version, token: tokenOf(row) }
}

/**
 * Appends events to several streams, all or none, in one statement. Otherwise as
 * {@link appendToStream}. The events get positions in the order given here.
 *
 * @throws STREAM_VERSION_CONFLICT for the first stream that is not as expected; nothing was written.
 */
export async function appendToStreams(
  connection: Connection,
  names: LogNames,
  appends: readonly StreamAppend[],
  newId: NewEventId = uuidV7,
): Promise<readonly AppendResult[]> {
  const expects = appends.map(checkAppend)
  refuseRepeatedStream(appends)
  const [row] = await query<ManyRow>(connection, names, {
    name: `tidemark-append-many-${names.schema}`,
    text: /* sql */ `
      select conflicts, versions::text[], incarnation::integer, transaction_id::text
      from ${names.schema}.append_streams($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    values: [
      appends.map((append) => append.streamId),
      expects,
      ...encodePlaces(appends),
      ...encodeEvents(
        appends.flatMap((append) => append.events),
        newId,
      ),
    ],
  })
  return toResults(appends, expects, row)
}

function toResults(
  appends: readonly StreamAppend[],
  expects: readonly string[],
  row: ManyRow,
): readonly AppendResult[] {
  const versions = row.versions.map(BigInt)
  for (const [index, { streamId }] of appends.entries()) {
    if (row.conflicts[index] === true) {
      throw conflict(streamId, expects[index] ?? '', versions[index] ?? 0n)
    }
  }
  const token = tokenOf(row)
  return appends.map(({ streamId, events }, index) => {
    return { streamId, version: (versions[index] ?? 0n) + BigInt(events.length), token }
  })
}

async function query<Row>(
  connection: Connection,
  names: LogNames,
  statement: { name: string; text: string; values: unknown[] },
): Promise<readonly [Row]> {
  try {
    return (await run<Row>(connection, statement)) as readonly [Row]
  } catch (error) {
    throw appendError(error, names.schema)
  }
}

function tokenOf(row: TransactionRow): Token {
  const transactionId = BigInt(row.transaction_id)
  return formatToken({ incarnation: row.incarnation, transactionId })
}

function conflict(streamId: string, expected: string, actualVersion: bigint): TidemarkError {
  return new TidemarkError(
    'STREAM_VERSION_CONFLICT',
    `stream "${streamId}" is at version ${actualVersion}, expected ${expected}: ` +
      'read it again and decide anew',
    { details: { streamId, expectedVersion: expected, actualVersion } },
  )
}

/** Longest stream id in bytes: its index entry has to fit on a page of the server. */
const maxStreamIdBytes = 1_000

function checkAppend(append: StreamAppend): string {
  const { streamId, events, expect = 'any' } = append
  const reason = streamIdFault(streamId)
  if (reason !== undefined) {
    throw new TidemarkError('STREAM_ID_INVALID', `a stream id ${reason}`, {
      details: { streamId: streamId.slice(0, 100), reason },
    })
  }
  if (events.length === 0) throw invalid(`no events for stream "${streamId}"`)
  if (typeof expect === 'bigint' && expect < 0n)
    throw invalid(`expected version ${expect} is negative`)
  return String(expect)
}

function streamIdFault(streamId: string): string | undefined {
  if (streamId === '') return 'is empty'
  if (streamId.includes('\0')) return 'contains U+0000, which Postgres cannot store'
  if (!streamId.isWellFormed()) return 'contains half of a surrogate pair'
  if (Buffer.byteLength(streamId) > maxStreamIdBytes)
    return `is over ${maxStreamIdBytes} bytes long`
  return undefined
}

function refuseRepeatedStream(appends: readonly StreamAppend[]): void {
  if (appends.length === 0) throw invalid('no streams')
  const seen = new Set<string>()
  for (const { streamId } of appends) {
    if (seen.has(streamId)) throw invalid(`stream "${streamId}" is named twice in one append`)
    seen.add(streamId)
  }
}

function invalid(reason: string): TidemarkError {
  return new TidemarkError('APPEND_INVALID', `invalid append: ${reason}`, { details: { reason } })
}
