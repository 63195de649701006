import type { Json } from '../core/json.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { logInconsistent } from '../store/log-inconsistent.ts'
import type { OutboxMessage } from './publisher.ts'

/** A place in the outbox, and what makes going on from there cheap. */
export interface OutboxCursor {
  readonly position: bigint
  /** Of the row before; null when it is not known. */
  readonly insertId: string | null
}

/** A run of the outbox: the messages of the wanted topics, and where it ends. */
export interface OutboxRun {
  readonly messages: readonly OutboxMessage[]
  readonly end: OutboxCursor
}

interface Row {
  readonly position: string
  readonly insert_id: string | null
  readonly message_id: string | null
  readonly topic: string
  readonly key: string | null
  readonly data: Json
  readonly headers: Record<string, string>
  readonly recorded_at: string
}

/**
 * Reads a run of the outbox after a place.
 *
 * @param topics patterns; null for all.
 * @throws LOG_INCONSISTENT when table and ledger disagree: nothing may be skipped.
 */
export async function readOutbox(
  connection: Connection,
  { schema }: LogNames,
  options: {
    readonly after: OutboxCursor
    readonly maxMessages: number
    readonly topics: readonly string[] | null
  },
): Promise<OutboxRun> {
  const { after, maxMessages, topics } = options
  const rows = await run<Row>(connection, {
    name: `tidemark-read-outbox-${schema}`,
    text: /* sql */ `
      select position::text, insert_id::text, message_id::text, topic, key, data, headers,
        to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as recorded_at
      from ${schema}.read_outbox($1, $2, $3, $4)`,
    values: [after.position.toString(), maxMessages, topics, after.insertId],
  }).catch((error: unknown) => {
    throw logInconsistent(error)
  })
  const end = rows.at(-1)
  return {
    messages: rows.slice(0, -1).map(toMessage),
    end: { position: BigInt(end?.position ?? after.position), insertId: end?.insert_id ?? null },
  }
}

function toMessage(row: Row): OutboxMessage {
  return {
    id: row.message_id ?? '',
    position: BigInt(row.position),
    topic: row.topic,
    key: row.key,
    data: row.data,
    headers: row.headers,
    recordedAt: new Date(row.recorded_at),
  }
}
