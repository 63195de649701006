import type { JsonObject } from '../core/json.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'

/** An event's row as tidemark selects it: 64-bit numbers as text, whatever the type parsers are. */
export interface StoredRow {
  readonly position: string | null
  readonly stream_id: string
  readonly version: string
  readonly event_id: string
  readonly type: string
  readonly schema_version: number
  readonly data: unknown
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  readonly recorded_at: Date
}

/** Turns a row into an event, with its data as it was stored. */
export function toRecordedEvent(row: StoredRow): RecordedEvent {
  return {
    type: row.type,
    data: row.data,
    streamId: row.stream_id,
    version: BigInt(row.version),
    position: row.position === null ? null : BigInt(row.position),
    id: row.event_id,
    schemaVersion: row.schema_version,
    metadata: row.metadata,
    tags: row.tags,
    recordedAt: row.recorded_at,
  }
}
