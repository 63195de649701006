import { v5 as uuidV5 } from 'uuid'
import type { NewEvent } from '../core/event.ts'
import type { EventRegistry } from '../core/event-registry.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import type { Token } from '../core/token.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { keyReused, tokenOf } from './append-outcome.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'

/** What an execution under a key appended. */
export interface EarlierExecution {
  readonly events: readonly NewEvent[]
  readonly version: bigint
  readonly token: Token
}

/** Namespace of the ids below: a UUID made for this once, as RFC 9562 (section 6.5) asks. */
const namespace = 'b0a1f6f2-3c57-4c0e-9d8a-6f1c2e7a5d34'

/**
 * Makes the id of the event that a command under a key decides on. The same for every attempt, so
 * that the events of an execution can be told from others of their transaction.
 */
export function executionEventId(streamId: string, key: string, index: number): string {
  return uuidV5(`${streamId}\n${key}\n${index}`, namespace)
}

interface Row extends Omit<StoredRow, 'version'> {
  /** Null when the append under the key was not one to this stream. */
  readonly version: string | null
  readonly append_version: string
  readonly incarnation: number
  readonly transaction_id: string
}

/**
 * Finds the events that were appended to a stream under a key. Null when the key is new.
 *
 * @throws APPEND_KEY_REUSED when something else was appended under the key.
 */
export async function findExecution(
  connection: Connection,
  names: LogNames,
  target: { readonly registry: EventRegistry; readonly streamId: string; readonly key: string },
): Promise<EarlierExecution | null> {
  const { registry, streamId, key } = target
  const rows = await run<Row>(connection, {
    name: `tidemark-find-execution-${names.schema}`,
    text: /* sql */ `
      select null::text as position, e.stream_id, e.version::text, e.event_id, e.type,
        e.schema_version::integer, e.data, e.metadata, e.tags, e.recorded_at,
        k.versions[1]::text as append_version, k.incarnation::integer, k.transaction_id::text
      from ${names.schema}.append_keys as k
      left join ${names.schema}.events as e
        on e.incarnation = k.incarnation
        and e.transaction_id = k.transaction_id
        and e.stream_id = $2
        and e.version <= k.versions[1]
        and cardinality(k.versions) = 1
      where k.key = $1
      order by e.version`,
    values: [key, streamId],
  })
  const last = rows.at(-1)
  if (last === undefined) return null
  if (last.version !== last.append_version) throw keyReused(key)
  const recorded = rows.map((row) => registry.upcast(toRecordedEvent(row as StoredRow)))
  const first = recorded.findLastIndex(({ id }) => id === executionEventId(streamId, key, 0))
  return {
    events: recorded.slice(Math.max(first, 0)).map((event) => toNewEvent(registry, event)),
    version: BigInt(last.append_version),
    token: tokenOf(last.incarnation, last.transaction_id),
  }
}

/** What the command decided on then, in the shape that it has now. */
function toNewEvent(registry: EventRegistry, recorded: RecordedEvent): NewEvent {
  const { type, data, id, metadata, tags } = recorded
  const schemaVersion = registry.definitionOf(type)?.schemaVersion ?? recorded.schemaVersion
  return { type, schemaVersion, data, id, metadata, tags }
}
