import { hash } from 'node:crypto'
import { isUuid } from '../../core/is-uuid.ts'
import { isTidemarkError } from '../../core/tidemark-error.ts'
import { checkStreamId } from '../check-append.ts'
import { type EncodeOptions, encodeEvent } from '../encode-events.ts'
import { eventNotImportable, type ImportedEvent } from './imported-event.ts'

/** An event that was checked, as COPY takes it, but for its version and for the server's clock. */
export interface ImportRow {
  /** Number of the event in its source, from 1. */
  readonly number: bigint
  readonly streamId: string
  /** Undefined: the next of its stream. */
  readonly version: bigint | undefined
  /** Its tags as the text of a `text[]`, or null for none. */
  readonly tags: string | null
  /** What stands between version and time, in the order of {@link rowColumns}. */
  readonly fields: string
  /** ISO 8601; undefined: the server's clock. */
  readonly recordedAt: string | undefined
}

/** The columns of a row, in the order of its fields. */
export const rowColumns =
  'version, stream_id, event_id, type, schema_version, data, metadata, tags, recorded_at'

/**
 * Checks an event and writes it in the text format of COPY.
 *
 * @throws IMPORT_INVALID with the event's number.
 */
export function encodeRow(number: bigint, given: ImportedEvent, options: EncodeOptions): ImportRow {
  const { streamId, version, event, recordedAt } = given
  const fault = findFault(given)
  if (fault !== undefined) throw eventNotImportable(number, String(streamId), fault)
  try {
    checkStreamId(streamId)
    const { id, type, schemaVersion, data, metadata, tags } = encodeEvent(event, options)
    return {
      number,
      streamId,
      version,
      tags,
      fields:
        `${escapeField(streamId)}\t${id}\t${escapeField(type)}\t${schemaVersion}\t` +
        `${escapeField(data)}\t${escapeField(metadata)}\t${tags === null ? '{}' : escapeField(tags)}`,
      recordedAt: recordedAt?.toISOString(),
    }
  } catch (error) {
    if (!isTidemarkError(error)) throw error
    throw eventNotImportable(number, streamId, `is not storable: ${error.message}`, error)
  }
}

/** Fingerprint of an event: the same in each run over one source, whatever ids are made for it. */
export function fingerprint({ streamId, event }: ImportedEvent): Buffer {
  const { type, schemaVersion, data, tags = [] } = event
  return hash('sha256', JSON.stringify([streamId, type, schemaVersion, data, tags]), 'buffer')
}

/** What JavaScript callers may get wrong, and what Postgres reads otherwise. */
function findFault({ streamId, event, version, recordedAt }: ImportedEvent): string | undefined {
  if (typeof streamId !== 'string') return 'has no `streamId`'
  if (typeof event !== 'object' || event === null) return 'has no `event`'
  if (event.id !== undefined && !isUuid(event.id)) return 'has an id that is not a UUID'
  if (version !== undefined && (typeof version !== 'bigint' || version < 1n)) {
    return `has version ${String(version)}, which is not a bigint from 1n`
  }
  if (recordedAt === undefined) return undefined
  const isTime = recordedAt instanceof Date && !Number.isNaN(recordedAt.getTime())
  if (!isTime) return 'has a `recordedAt` that is not a valid Date'
  const year = recordedAt.getUTCFullYear()
  return year < 1 || year > 9_999 ? `has a \`recordedAt\` in the year ${year}` : undefined
}

const special = /[\\\n\r\t]/
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function escapeField(field: string): string {
  if (!special.test(field)) return field
  return field.replaceAll(/[\\\n\r\t]/g, (character) => escapes[character] ?? character)
}
