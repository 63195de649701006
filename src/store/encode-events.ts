import type { NewEvent } from '../core/event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { newEventId } from './new-event-id.ts'

/** Events as columns: ids, types, schema versions, data, metadata and tags (null for none at all). */
export type EncodedEvents = readonly [
  ids: readonly string[],
  types: readonly string[],
  schemaVersions: readonly number[],
  data: readonly string[],
  metadata: readonly string[],
  tags: readonly (string | null)[] | null,
]

export interface EncodeOptions {
  /** Makes the id of an event that has none. Default: a UUID of version 7. */
  readonly newId?: (() => string) | undefined
  /** Most bytes of one event's data and metadata together, as JSON. Default 1 MiB. */
  readonly maxEventBytes?: number | undefined
}

const defaults = { newId: newEventId, maxEventBytes: 1_048_576 }

/** An event that was checked, as text. */
export interface EncodedEvent {
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  /** JSON. */
  readonly data: string
  readonly metadata: string
  /** The text of a `text[]`; null for none. */
  readonly tags: string | null
}

/**
 * Checks an event and writes it as text.
 *
 * @throws EVENT_DATA_INVALID when data or metadata is not something that JSON can hold.
 * @throws EVENT_TOO_LARGE
 */
export function encodeEvent(event: NewEvent, options: EncodeOptions): EncodedEvent {
  const { newId = defaults.newId, maxEventBytes = defaults.maxEventBytes } = options
  refuseUnstorable(event)
  const data = encodeJson(event, 'data', event.data)
  const metadata = encodeJson(event, 'metadata', event.metadata ?? {})
  refuseLarge(event, data, metadata, maxEventBytes)
  const { id = newId(), type, schemaVersion } = event
  return { id, type, schemaVersion, data, metadata, tags: encodeTags(event) }
}

/**
 * Writes events as one array per column, because the server casts text to jsonb several times
 * faster than it takes one large jsonb argument apart. Throws as {@link encodeEvent}.
 */
export function encodeEvents(
  events: readonly NewEvent[],
  options: EncodeOptions = {},
): EncodedEvents {
  const encoded = events.map((event) => encodeEvent(event, options))
  return [
    encoded.map(({ id }) => id),
    encoded.map(({ type }) => type),
    encoded.map(({ schemaVersion }) => schemaVersion),
    encoded.map(({ data }) => data),
    encoded.map(({ metadata }) => metadata),
    encoded.some(({ tags }) => tags !== null) ? encoded.map(({ tags }) => tags) : null,
  ]
}

function refuseLarge({ type }: NewEvent, data: string, metadata: string, maxBytes: number) {
  // No character takes more than three bytes: most events need not be measured.
  if ((data.length + metadata.length) * 3 <= maxBytes) return
  const bytes = Buffer.byteLength(data) + Buffer.byteLength(metadata)
  if (bytes <= maxBytes) return
  throw new TidemarkError(
    'EVENT_TOO_LARGE',
    `event "${type}" has ${bytes} bytes, at most ${maxBytes} are allowed: ` +
      'keep large contents elsewhere and refer to them, or raise `maxEventBytes`',
    { details: { type, bytes, maxBytes } },
  )
}

function refuseUnstorable(event: NewEvent): void {
  const { type, schemaVersion, tags = [] } = event
  const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')
  if (type === '' || !isStorable(type)) throw invalid(event, 'type', 'is empty or not storable')
  if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > maxSchemaVersion) {
    throw invalid(event, 'schemaVersion', `is not a whole number from 1 to ${maxSchemaVersion}`)
  }
  if (!tags.every(isStorable)) throw invalid(event, 'tags', 'hold text that Postgres cannot store')
}

/** The column is a `smallint`. */
const maxSchemaVersion = 32_767

/**
 * Says where the events of several streams belong: for each event its stream's number from 1, its
 * stream's id, and its own number within the stream's events, from 1.
 */
export function encodePlaces(
  appends: readonly { readonly streamId: string; readonly events: readonly NewEvent[] }[],
): readonly [streams: number[], streamIds: string[], offsets: number[]] {
  const streams: number[] = []
  const streamIds: string[] = []
  const offsets: number[] = []
  for (const [index, { streamId, events }] of appends.entries()) {
    for (const offset of events.keys()) {
      streams.push(index + 1)
      streamIds.push(streamId)
      offsets.push(offset + 1)
    }
  }
  return [streams, streamIds, offsets]
}

function encodeJson(event: NewEvent, path: string, value: unknown): string {
  let message = 'is undefined, which JSON cannot hold'
  try {
    const text = JSON.stringify(value)
    if (text !== undefined) return text
  } catch (error) {
    message = `cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`
  }
  throw invalid(event, path, message)
}

function invalid(event: NewEvent, path: string, message: string): TidemarkError {
  const { type, schemaVersion } = event
  return new TidemarkError('EVENT_DATA_INVALID', `${path} of event "${type}" ${message}`, {
    details: { type, schemaVersion, issues: [{ path, message }] },
  })
}

function encodeTags(event: NewEvent): string | null {
  if (event.tags === undefined || event.tags.length === 0) return null
  const quoted = event.tags.map((tag) => `"${tag.replaceAll(/["\\]/g, '\\$&')}"`)
  return `{${quoted.join(',')}}`
}
