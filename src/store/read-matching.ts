import type { SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { EncodedFilter } from './log-filter.ts'
import { logInconsistent } from './log-inconsistent.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'

/** Where to read on. */
export interface MatchingCursor {
  readonly position: bigint
  /** Within a commit: the event at that position. A hint, never needed. */
  readonly insertId: string | null
  /** Whether the page before was read through the log. A hint: so is this one then, to begin with. */
  readonly isDense?: boolean
}

export interface Matching {
  readonly filter: EncodedFilter
  readonly maxEvents: number
  readonly upTo: bigint | undefined
  readonly signal: AbortSignal | undefined
}

export interface MatchingEvents {
  readonly events: readonly SequencedEvent[]
  /** All that matches up to here has been read. */
  readonly end: MatchingCursor
  /** Whether nothing more was there to be read. */
  readonly isLast: boolean
}

/** Positions that the first statement goes through at most. */
const minPositions = 4_096

/** Positions that one statement goes through at most: about half a second. */
const maxPositions = 65_536

/** Index entries that the first statement brings into order at most. */
const minEntries = 16_384

/** Index entries brought into order at most: the server holds them all, some 50 bytes each. */
const maxEntries = 1_000_000

/**
 * Reads events of the log that match, as they were stored, until there are enough of them or the log is at its end.
 *
 * @throws LOG_INCONSISTENT, and what the signal was aborted with.
 */
export async function readMatching(
  connection: Connection,
  names: LogNames,
  matching: Matching,
  start: MatchingCursor,
): Promise<MatchingEvents> {
  const { maxEvents, upTo = maxPosition, signal } = matching
  const events: SequencedEvent[] = []
  let end = start
  let entries = start.isDense === true ? 0 : minEntries
  let positions = minPositions
  while (end.position < upTo) {
    signal?.throwIfAborted()
    const left = maxEvents - events.length
    const part = { ...matching, upTo, maxEvents: left, entries, positions }
    const { isLast, ...read } = await readPart(connection, names, part, end)
    events.push(...read.events)
    end = read.end
    if (events.length === maxEvents) return { events, end, isLast: false }
    if (isLast) break
    // As much again through either way as has been spent in vain: the search costs little more than
    // the cheaper of the two would have, whichever it turns out to be.
    positions = Math.min(positions * 2, maxPositions)
    entries = Math.min(Math.max(entries * 2, minEntries), maxEntries)
  }
  return { events, end, isLast: true }
}

const maxPosition = 2n ** 63n - 1n

interface Row extends StoredRow {
  readonly insert_id: string | null
}

interface Part extends Matching {
  readonly upTo: bigint
  readonly entries: number
  readonly positions: number
}

async function readPart(
  connection: Connection,
  names: LogNames,
  { filter, maxEvents, upTo, ...work }: Part,
  start: MatchingCursor,
): Promise<MatchingEvents> {
  const left = upTo - start.position
  const wanted = BigInt(Math.max(work.positions, Math.min(maxEvents, maxPositions)))
  const positions = left < wanted ? left : wanted
  try {
    const rows = await run<Row>(connection, {
      name: `tidemark-read-matching-${names.schema}`,
      text: /* sql */ `
        select position::text, insert_id::text, stream_id, version::text, event_id, type,
          schema_version::integer, data, metadata, tags, recorded_at
        from ${names.schema}.read_matching($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      values: [
        start.position.toString(),
        maxEvents,
        work.entries,
        positions.toString(),
        ...filter,
        start.insertId,
      ],
    })
    return toPart(rows, start.position + positions, upTo)
  } catch (error) {
    throw logInconsistent(error)
  }
}

/** @param last position to which the log was gone through, if no index was used and it is as long. */
function toPart(rows: readonly Row[], last: bigint, upTo: bigint): MatchingEvents {
  const ending = rows.at(-1)
  const position = BigInt(ending?.position ?? 0)
  const events = rows.slice(0, -1).map((row) => toRecordedEvent(row) as SequencedEvent)
  if (position > upTo) {
    const end = { position: upTo, insertId: null }
    return { events: events.filter((event) => event.position <= upTo), end, isLast: true }
  }
  const end = { position, insertId: ending?.insert_id ?? null, isDense: ending?.type === null }
  return { events, end, isLast: position < last }
}
