import type { NewEvent } from '../core/event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'

/** Events as columns: ids, types, schema versions, data, metadata and tags (null for none at all). */
export type EncodedEvents = readonly [
  ids: readonly string[],
  types: readonly string[],
  schemaVersions: readonly number[],
  data: readonly string[],
  metadata: readonly string[],
  tags: readonly (string | null)[] | null,
]

/**
 * Writes events as one array per column, because the server casts text to jsonb several times
 * faster than it takes one large jsonb argument apart.
 *
 * @throws EVENT_DATA_INVALID when data or metadata is not something that JSON can hold.
 */
export function encodeEvents(events: readonly NewEvent[], newId: () => string): EncodedEvents {
  for (const event of events) refuseUnstorable(event)
  return [
    events.map((event) => event.id ?? newId()),
    events.map((event) => event.type),
    events.map((event) => event.schemaVersion),
    events.map((event) => encodeJson(event, 'data', event.data)),
    events.map((event) => encodeJson(event, 'metadata', event.metadata ?? {})),
    events.some((event) => event.tags?.length) ? events.map(encodeTags) : null,
  ]
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
