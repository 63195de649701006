import type { EventRegistry } from '../core/event-registry.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'

export interface ReadStreamOptions {
  /** First version to read. Default 1. */
  readonly fromVersion?: bigint
  /** Most events to read. Default 1,000. */
  readonly maxEvents?: number
}

const defaults = { fromVersion: 1n, maxEvents: 1_000 }

/**
 * Reads a page of one stream, ascending by version. Positions are null here: a stream is read as it
 * is in the table, sequenced or not.
 *
 * @throws EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 */
export async function readStream(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  streamId: string,
  options: ReadStreamOptions = {},
): Promise<readonly RecordedEvent[]> {
  const { fromVersion, maxEvents } = { ...defaults, ...options }
  const rows = await run<StoredRow>(connection, {
    name: `tidemark-read-stream-${names.schema}`,
    text: /* sql */ `
      select null::text as position, e.stream_id, e.version::text, e.event_id, e.type,
        e.schema_version::integer, e.data, e.metadata, e.tags, e.recorded_at
      from ${names.schema}.events as e
      where e.stream_id = $1
        and e.version >= $2
      order by e.version
      limit $3`,
    values: [streamId, fromVersion.toString(), maxEvents],
  })
  return rows.map((row) => registry.upcast(toRecordedEvent(row)))
}

/** Reads how long a stream is: the version of its last event, 0 when it is empty. */
export async function readStreamVersion(
  connection: Connection,
  names: LogNames,
  streamId: string,
): Promise<bigint> {
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
