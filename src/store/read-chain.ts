import type { EventRegistry, UnknownEvents } from '../core/event-registry.ts'
import { isUuid } from '../core/is-uuid.ts'
import { optionInvalid } from '../core/option-invalid.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run, type Statement } from '../db/queryable.ts'
import { checkMaxEvents } from './check-read.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'

export interface ReadChainOptions<U extends UnknownEvents = UnknownEvents> {
  /** Most events to read: the nearest ones. Default 1,000. */
  readonly maxEvents?: number
  /** What to do with events that the store has no definition for. Default `'fail'`. */
  readonly unknownEvents?: U
  /** A `pg` client or a Kysely transaction to read in. Default: a connection of the store. */
  readonly tx?: Connection
}

const defaults = { maxEvents: 1_000 }

/**
 * Reads what caused an event, by `metadata.causationId`: the root first, the direct cause last. Ends
 * where a cause is not an event of this log, such as a command. Events that are not sequenced yet are
 * read too; they have no position.
 *
 * @throws EVENT_UNKNOWN when no event has this id.
 * @throws OPTION_INVALID, EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 */
export async function readCauses(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  eventId: string,
  options: ReadChainOptions = {},
): Promise<readonly RecordedEvent[]> {
  const statement = chainStatement(names, 'read_causes')
  const causes = await readChain(connection, registry, statement, eventId, options)
  return causes.toReversed()
}

/**
 * Reads what an event caused, directly or not, by `metadata.causationId`, in the order of the log.
 * Looks among the events of one correlation only: those with the event's `correlationId`, or with its
 * id for one when it has none, as appends that are `causedBy` an event write it. Events that are not
 * sequenced yet are read too; they come last and have no position.
 *
 * @throws EVENT_UNKNOWN when no event has this id.
 * @throws OPTION_INVALID, EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 */
export async function readEffects(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  eventId: string,
  options: ReadChainOptions = {},
): Promise<readonly RecordedEvent[]> {
  const statement = chainStatement(names, 'read_effects')
  return readChain(connection, registry, statement, eventId, options)
}

function chainStatement({ schema }: LogNames, read: 'read_causes' | 'read_effects'): Statement {
  return {
    name: `tidemark-${read.replace('_', '-')}-${schema}`,
    text: /* sql */ `
      select position::text, stream_id, version::text, event_id, type, schema_version::integer, data,
        metadata, tags, recorded_at
      from ${schema}.${read}($1, $2)`,
  }
}

/** Reads the events of a chain but the one that it was asked for. */
async function readChain(
  connection: Connection,
  registry: EventRegistry,
  statement: Statement,
  eventId: string,
  options: ReadChainOptions,
): Promise<readonly RecordedEvent[]> {
  const { tx = connection, maxEvents } = { ...defaults, ...options }
  checkEventId(eventId)
  checkMaxEvents(maxEvents, { min: 1 })
  // The chain contains the event itself, which tells it from one without links.
  const rows = await run<StoredRow>(tx, { ...statement, values: [eventId, maxEvents + 1] })
  if (rows.length === 0) throw unknownEvent(eventId)
  return rows
    .filter((row) => row.event_id !== eventId.toLowerCase())
    .map((row) => registry.upcast(toRecordedEvent(row), options))
}

function checkEventId(eventId: string): void {
  if (isUuid(eventId)) return
  throw optionInvalid('eventId', 'it is not a UUID')
}

function unknownEvent(eventId: string): TidemarkError {
  return new TidemarkError('EVENT_UNKNOWN', `no event has the id "${eventId}"`, {
    details: { eventId },
  })
}
