import type { EventRegistry, UnknownEvents } from '../core/event-registry.ts'
import type { SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import { checkMaxEvents, checkPlace, parseCursor } from './check-read.ts'
import { type EventPage, iteratePages } from './iterate-pages.ts'
import { encodeFilter, type LogFilter } from './log-filter.ts'
import { type MatchingCursor, readMatching } from './read-matching.ts'

export interface ReadLogOptions<U extends UnknownEvents = UnknownEvents> extends LogFilter {
  /** Position after which to read. Default 0, the start of the log. */
  readonly after?: bigint
  /** Last position to read. Default: as far as the log is sequenced. */
  readonly upTo?: bigint
  /** Most events of a page. Default 1,000. */
  readonly maxEvents?: number
  /** What to do with events that the store has no definition for. Default `'fail'`. */
  readonly unknownEvents?: U
  /** A `pg` client or a Kysely transaction to read in. Default: a connection of the store. */
  readonly tx?: Connection
  /** Ends a search that takes too long, between two statements. */
  readonly signal?: AbortSignal
}

export interface LogPageOptions<U extends UnknownEvents = UnknownEvents> extends ReadLogOptions<U> {
  /** `next` of the page before, read with the same options otherwise. Null, default: the first page. */
  readonly cursor?: string | null | undefined
}

export interface LogPage<E> extends EventPage<E> {
  /** Everything up to here has been read, whether it matched or not. Read on `after` it later. */
  readonly position: bigint
}

const defaults = { after: 0n, maxEvents: 1_000 }

/**
 * Reads a page of the log in its order: the sequenced events that match. Positions never change and
 * nothing ever comes to stand before what was read, so that pages that follow each other miss
 * nothing and repeat nothing, whatever is appended meanwhile.
 *
 * @throws EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 * @throws OPTION_INVALID
 * @throws LOG_INCONSISTENT when the table holds other events than the ledger promises.
 */
export async function readLog(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  options: LogPageOptions = {},
): Promise<LogPage<SequencedEvent>> {
  const { cursor, after = defaults.after } = options
  checkPlace('after', after)
  const begun = cursor == null ? 0n : parseCursor(cursor)
  const start = { position: begun > after ? begun : after, insertId: null }
  const { events, end, next } = await readPage(connection, names, registry, options, start)
  return { events, position: end.position, next: next === null ? null : next.position.toString() }
}

/**
 * Reads the log from a position to its end, as it is when that is reached, in pages, so that at most
 * two of them are in memory.
 *
 * @param options `maxEvents` is the size of a page.
 */
export function iterateLog(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  options: ReadLogOptions = {},
): AsyncGenerator<SequencedEvent, void, undefined> {
  const first = { position: options.after ?? defaults.after, insertId: null }
  return iteratePages(
    (cursor: MatchingCursor | undefined) =>
      readPage(connection, names, registry, options, cursor ?? first),
    { prefetch: options.tx === undefined },
  )
}

interface PositionedPage extends EventPage<SequencedEvent, MatchingCursor> {
  readonly end: MatchingCursor
}

async function readPage(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  options: ReadLogOptions,
  start: MatchingCursor,
): Promise<PositionedPage> {
  const { upTo, tx = connection, signal, maxEvents } = { ...defaults, ...options }
  checkPlace('after', start.position)
  checkPlace('upTo', upTo)
  checkMaxEvents(maxEvents, { min: 1 })
  const matching = { filter: encodeFilter(options), upTo, maxEvents, signal }
  const { events, end, isLast } = await readMatching(tx, names, matching, start)
  return {
    events: events.map((event) => registry.upcast(event, options)),
    end,
    next: isLast ? null : end,
  }
}
