import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { SubscriptionId, SubscriptionKind } from '../subscription-id.ts'

/** A key whose events wait behind one that could not be applied. */
export interface ParkedKey {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly version: number
  /** The part of the subscription: the table of a fold, `each` or `batch`. */
  readonly lane: string
  /** What the events concern there: the key of the fold's row as text, else usually the stream. */
  readonly key: string
  /** How many events wait. */
  readonly events: number
  /** The first of them, which is tried next. */
  readonly first: ParkedEntry
}

/** A parked event, for people. */
export interface ParkedEntry {
  readonly position: bigint
  readonly eventId: string
  readonly type: string
  readonly streamId: string
  /** Version of the event in its stream. */
  readonly streamVersion: bigint
  /** Why it could not be applied; null for one that waits behind another and was not tried. */
  readonly error: ParkedError | null
  /** How often it failed after being told apart: when it was parked, and when it was retried. */
  readonly attempts: number
  readonly parkedAt: Date
}

export interface ParkedError {
  /** Of tidemark or SQLSTATE; null for what a handler threw. */
  readonly code: string | null
  readonly message: string
}

/** Which parked events are meant. What is left out is any. */
export interface ParkedFilter {
  /** Kind of the subscription. Default: any. */
  readonly kind?: SubscriptionKind
  readonly name?: string
  readonly version?: number
  readonly lane?: string
  readonly key?: string
}

interface EntryRow {
  readonly position: string
  readonly event_id: string
  readonly type: string
  readonly stream_id: string
  readonly stream_version: string
  readonly error: ParkedError | null
  readonly attempts: number
  readonly parked_at: Date
}

interface KeyRow extends EntryRow, SubscriptionId {
  readonly lane: string
  readonly key: string
  readonly events: number
}

const entryColumns = `position::text, event_id, type, stream_id, stream_version::text, error, attempts,
  parked_at`

/** Lists the keys that are parked, each with its first event. */
export async function listParked(
  connection: Connection,
  names: LogNames,
  filter: ParkedFilter = {},
): Promise<readonly ParkedKey[]> {
  const rows = await run<KeyRow>(connection, {
    text: /* sql */ `
      select distinct on (kind, name, version, lane, key)
        kind, name, version, lane, key, ${entryColumns},
        (count(*) over (partition by kind, name, version, lane, key))::integer as events
      from ${names.schema}.parked_events
      ${matching}
      order by kind, name, version, lane, key, parked_events.position`,
    values: valuesOf(filter),
  })
  return rows.map((row) => {
    const { kind, name, version, lane, key, events } = row
    return { kind, name, version, lane, key, events, first: toEntry(row) }
  })
}

/** Lists the parked events of a key, in the order in which they will be applied. */
export async function listParkedEvents(
  connection: Connection,
  names: LogNames,
  filter: ParkedFilter,
): Promise<readonly ParkedEntry[]> {
  const rows = await run<EntryRow>(connection, {
    text: /* sql */ `
      select ${entryColumns}
      from ${names.schema}.parked_events
      ${matching}
      order by parked_events.position, lane, key`,
    values: valuesOf(filter),
  })
  return rows.map(toEntry)
}

/** Counts parked events and keys by subscription. */
export async function countParked(
  connection: Connection,
  names: LogNames,
): Promise<readonly (SubscriptionId & { readonly events: number; readonly keys: number })[]> {
  return run(connection, {
    text: /* sql */ `
      select kind, name, version, count(*)::integer as events,
        count(distinct (lane, key))::integer as keys
      from ${names.schema}.parked_events
      group by kind, name, version`,
  })
}

const matching = /* sql */ `
  where ($1::text is null or kind = $1)
    and ($2::text is null or name = $2)
    and ($3::integer is null or version = $3)
    and ($4::text is null or lane = $4)
    and ($5::text is null or key = $5)`

function valuesOf({ kind, name, version, lane, key }: ParkedFilter): readonly unknown[] {
  return [kind ?? null, name ?? null, version ?? null, lane ?? null, key ?? null]
}

function toEntry(row: EntryRow): ParkedEntry {
  return {
    position: BigInt(row.position),
    eventId: row.event_id,
    type: row.type,
    streamId: row.stream_id,
    streamVersion: BigInt(row.stream_version),
    error: row.error,
    attempts: row.attempts,
    parkedAt: row.parked_at,
  }
}
