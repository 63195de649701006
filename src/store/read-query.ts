import type { EventRegistry } from '../core/event-registry.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { type EventQuery, encodeQuery } from './event-query.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'

declare const brand: unique symbol

/** Says what a reader has seen. Opaque: pass it on as it is. */
export type QueryToken = string & { readonly [brand]: 'QueryToken' }

/** What matches a query, and what that is as of. */
export interface QueryResult<E extends RecordedEvent = RecordedEvent> {
  /** Sequenced ones in the order of the log, then the others in insert order. */
  readonly events: readonly E[]
  /** For the condition of an append: that nothing has matched the query since. */
  readonly token: QueryToken
}

interface Row extends StoredRow {
  readonly token: string
}

/**
 * Reads all events that match a query, sequenced or not, as of one moment. They are in memory at
 * once: a query is what one decision depends on, not a page of the log.
 *
 * In a transaction that has written events itself, the token is for its own appends: afterwards it
 * takes these events for unseen.
 *
 * @throws OPTION_INVALID, EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 */
export async function readQuery(
  connection: Connection,
  names: LogNames,
  registry: EventRegistry,
  query: EventQuery,
): Promise<QueryResult> {
  const rows = await run<Row>(connection, {
    name: `tidemark-read-query-${names.schema}`,
    // One statement, so that events and token are as of the same snapshot.
    text: /* sql */ `
      select
        q.token,
        r.position::text, r.stream_id, r.version::text, r.event_id, r.type,
        r.schema_version::integer, r.data, r.metadata, r.tags, r.recorded_at
      from ${names.schema}.query_token() as q (token)
      left join ${names.schema}.read_query($1) as r on true`,
    values: [encodeQuery(query)],
  })
  return {
    token: rows[0]?.token as QueryToken,
    events: rows
      .filter((row) => row.event_id !== null)
      .map((row) => registry.upcast(toRecordedEvent(row))),
  }
}
