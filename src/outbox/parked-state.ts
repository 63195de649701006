import type { Json } from '../core/json.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { OutboxMessage } from './publisher.ts'

/** What a relay has to know of the messages that it has parked. */
export interface ParkedState {
  /** Keys of which later messages are parked, too. */
  readonly keys: Set<string>
  count: number
}

/** Reads what a relay has parked. */
export async function readParkedState(
  connection: Connection,
  { schema }: LogNames,
  relay: string,
): Promise<ParkedState> {
  const rows = await run<{ key: string | null; count: number }>(connection, {
    text: /* sql */ `
      select key, count(*)::integer as count
      from ${schema}.parked_messages
      where relay = $1
      group by key`,
    values: [relay],
  })
  return {
    keys: new Set(rows.flatMap(({ key }) => key ?? [])),
    count: rows.reduce((sum, { count }) => sum + count, 0),
  }
}

interface RetriedRow {
  readonly position: string
  readonly message_id: string
  readonly topic: string
  readonly key: string | null
  readonly data: Json
  readonly headers: Readonly<Record<string, string>>
  readonly recorded_at: string
}

/** Reads parked messages that are to be tried once more, in their order. Of a key they are the first. */
export async function readRetried(
  connection: Connection,
  { schema }: LogNames,
  relay: string,
  maxMessages: number,
): Promise<readonly OutboxMessage[]> {
  const rows = await run<RetriedRow>(connection, {
    text: /* sql */ `
      select position::text, message_id::text, topic, key, data, headers,
        to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as recorded_at
      from ${schema}.parked_messages
      where relay = $1
        and is_retried
      order by parked_messages.position
      limit $2`,
    values: [relay, maxMessages],
  })
  return rows.map(({ position, message_id, recorded_at, ...message }) => ({
    ...message,
    id: message_id,
    position: BigInt(position),
    recordedAt: new Date(recorded_at),
  }))
}
