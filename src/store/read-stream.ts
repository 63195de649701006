import type { EventRegistry, UnknownEvents } from '../core/event-registry.ts'
import { optionInvalid } from '../core/option-invalid.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { checkStreamId } from './check-append.ts'
import { checkMaxEvents, checkPlace, parseCursor } from './check-read.ts'
import { type EventPage, iteratePages } from './iterate-pages.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'

/** Order of versions in which a stream is read. It changes the order, never which events are read. */
export type ReadDirection = 'forwards' | 'backwards'

export interface ReadStreamOptions<U extends UnknownEvents = UnknownEvents> {
  /** Default `'forwards'`, from the oldest version on. */
  readonly direction?: ReadDirection
  /** Lowest version to read, in either direction. Default 1. */
  readonly fromVersion?: bigint
  /** Highest version to read, in either direction. Default: no limit. */
  readonly toVersion?: bigint
  /** Most events to read. Default 1,000. */
  readonly maxEvents?: number
  /** What to do with events that the store has no definition for. Default `'fail'`. */
  readonly unknownEvents?: U
  /** A `pg` client or a Kysely transaction to read in. Default: a connection of the store. */
  readonly tx?: Connection
}

export interface StreamPageOptions<U extends UnknownEvents = UnknownEvents>
  extends ReadStreamOptions<U> {
  /** `next` of the page before, read with the same options otherwise. Null, default: the first page. */
  readonly cursor?: string | null | undefined
}

const defaults = { direction: 'forwards', fromVersion: 1n, maxEvents: 1_000 } as const

/**
 * Reads one stream. It is read as it is in the table, sequenced or not, so that a transaction reads
 * its own writes and a decision is made on all that was committed. Positions are null here for that
 * reason: they come later, from the ledger.
 *
 * @throws EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 * @throws STREAM_ID_INVALID, OPTION_INVALID
 */
export async function readStream(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  streamId: string,
  options: ReadStreamOptions = {},
): Promise<readonly RecordedEvent[]> {
  const { direction, fromVersion, toVersion, maxEvents } = { ...defaults, ...options }
  checkStreamId(streamId)
  checkPlace('fromVersion', fromVersion)
  checkPlace('toVersion', toVersion)
  checkMaxEvents(maxEvents, { min: 0 })
  const rows = await run<StoredRow>(options.tx ?? connection, {
    name: `tidemark-read-stream-${direction}-${names.schema}`,
    text: statementOf(direction, names),
    values: [streamId, fromVersion.toString(), toVersion?.toString() ?? null, maxEvents],
  })
  return rows.map((row) => registry.upcast(toRecordedEvent(row), options))
}

const orders: Readonly<Record<ReadDirection, string>> = { forwards: 'asc', backwards: 'desc' }

function statementOf(direction: ReadDirection, { schema }: LogNames): string {
  if (!Object.hasOwn(orders, direction)) {
    throw optionInvalid('direction', 'it is neither forwards nor backwards')
  }
  return /* sql */ `
    select null::text as position, e.stream_id, e.version::text, e.event_id, e.type,
      e.schema_version::integer, e.data, e.metadata, e.tags, e.recorded_at
    from ${schema}.events as e
    where e.stream_id = $1
      and e.version >= $2
      and e.version <= coalesce($3, 9223372036854775807)
    order by e.version ${orders[direction]}
    limit $4`
}

/**
 * Reads a page of one stream. Pages that follow each other miss nothing and repeat nothing, whatever
 * is appended meanwhile.
 *
 * @throws OPTION_INVALID when the cursor is not one, and what {@link readStream} throws.
 */
export async function readStreamPage(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  streamId: string,
  options: StreamPageOptions = {},
): Promise<EventPage<RecordedEvent>> {
  const { direction, maxEvents } = { ...defaults, ...options }
  checkMaxEvents(maxEvents, { min: 1 })
  const range = remaining(options)
  const events = await readStream(connection, names, registry, streamId, { ...options, ...range })
  const last = events.at(-1)
  if (last === undefined || events.length < maxEvents) return { events, next: null }
  const next = direction === 'forwards' ? last.version + 1n : last.version - 1n
  const { fromVersion = defaults.fromVersion, toVersion = next } = range
  return { events, next: next < fromVersion || next > toVersion ? null : next.toString() }
}

/** The versions that pages up to the cursor have left over. */
function remaining(
  options: StreamPageOptions,
): Pick<ReadStreamOptions, 'fromVersion' | 'toVersion'> {
  const { direction, fromVersion = defaults.fromVersion, toVersion, cursor } = options
  const upTo = toVersion === undefined ? {} : { toVersion }
  if (cursor == null) return { fromVersion, ...upTo }
  const next = parseCursor(cursor)
  if (direction !== 'backwards') {
    return { fromVersion: next > fromVersion ? next : fromVersion, ...upTo }
  }
  return { fromVersion, toVersion: toVersion !== undefined && toVersion < next ? toVersion : next }
}

/**
 * Reads a stream from one end to the other in pages, so that at most two of them are in memory.
 *
 * @param options `maxEvents` is the size of a page.
 */
export function iterateStream(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  streamId: string,
  options: ReadStreamOptions = {},
): AsyncGenerator<RecordedEvent, void, undefined> {
  const readPage = (cursor: string | undefined) =>
    readStreamPage(connection, names, registry, streamId, { ...options, cursor })
  return iteratePages(readPage, { prefetch: options.tx === undefined })
}

/**
 * Reads the last event of a stream.
 *
 * @returns undefined when the stream is empty.
 */
export async function readLastEvent(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  streamId: string,
  options: Pick<ReadStreamOptions, 'tx' | 'unknownEvents'> = {},
): Promise<RecordedEvent | undefined> {
  const last = { ...options, direction: 'backwards', maxEvents: 1 } as const
  const [event] = await readStream(connection, names, registry, streamId, last)
  return event
}

/** Reads how long a stream is: the version of its last event, 0 when it is empty. */
export async function readStreamVersion(
  connection: Connection,
  names: LogNames,
  streamId: string,
): Promise<bigint> {
  checkStreamId(streamId)
  const rows = await run<{ version: string }>(connection, {
    name: `tidemark-stream-version-${names.schema}`,
    text: /* sql */ `
      select coalesce(max(version), 0)::text as version
      from ${names.schema}.events
      where stream_id = $1`,
    values: [streamId],
  })
  return BigInt(rows[0]?.version ?? 0)
}
