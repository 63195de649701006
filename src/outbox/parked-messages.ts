import type { Json } from '../core/json.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import type { OutboxMessage } from './publisher.ts'

/** Why a message is parked: the broker refused it, or it waits behind another (null). */
export interface MessageToPark {
  readonly message: OutboxMessage
  readonly error: { readonly code: string; readonly message: string } | null
}

/** A message that a broker would not take, or that waits behind one. */
export interface ParkedMessage {
  readonly relay: string
  readonly message: OutboxMessage
  /** Null for a message that waits behind another. */
  readonly error: string | null
  readonly attempts: number
  readonly isRetried: boolean
  readonly parkedAt: Date
}

interface Row {
  readonly relay: string
  readonly position: string
  readonly message_id: string
  readonly topic: string
  readonly key: string | null
  readonly data: Json
  readonly headers: Record<string, string>
  readonly recorded_at: string
  readonly reason: string | null
  readonly attempts: number
  readonly is_retried: boolean
  readonly parked_at: string
}

/** Reads the messages that a relay has parked, in their order. */
export async function readParkedMessages(
  connection: Connection,
  { schema }: LogNames,
  relay: string,
): Promise<readonly ParkedMessage[]> {
  const rows = await run<Row>(connection, {
    text: /* sql */ `
      select relay, position::text, message_id::text, topic, key, data, headers,
        recorded_at::text, error ->> 'message' as reason, attempts, is_retried, parked_at::text
      from ${schema}.parked_messages
      where relay = $1
      order by position`,
    values: [relay],
  })
  return rows.map((row) => ({
    relay: row.relay,
    message: {
      id: row.message_id,
      position: BigInt(row.position),
      topic: row.topic,
      key: row.key,
      data: row.data,
      headers: row.headers,
      recordedAt: new Date(row.recorded_at),
    },
    error: row.reason,
    attempts: row.attempts,
    isRetried: row.is_retried,
    parkedAt: new Date(row.parked_at),
  }))
}

/** Counts what relays have parked. */
export async function countParkedMessages(
  connection: Connection,
  { schema }: LogNames,
): Promise<readonly (SubscriptionId & { readonly events: number })[]> {
  return run(connection, {
    text: /* sql */ `
      select 'relay' as kind, relay as name, 1 as version, count(*)::integer as events
      from ${schema}.parked_messages
      group by relay`,
  })
}

/** Parks messages, in the transaction that moves the checkpoint behind them. */
export async function parkMessages(
  connection: Connection,
  { schema }: LogNames,
  relay: string,
  parked: readonly MessageToPark[],
): Promise<void> {
  const messages = parked.map(({ message }) => message)
  await run(connection, {
    text: /* sql */ `
      insert into ${schema}.parked_messages (
        relay, position, message_id, topic, key, data, headers, recorded_at, error, attempts
      )
      select $1, p.position, p.message_id, p.topic, p.key, p.data::jsonb, p.headers::jsonb,
        p.recorded_at, p.error::jsonb, case when p.error is null then 0 else 1 end
      from unnest(
        $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::text[]
      ) as p (position, message_id, topic, key, data, headers, recorded_at, error)
      on conflict do nothing`,
    values: [
      relay,
      messages.map(({ position }) => `${position}`),
      messages.map(({ id }) => id),
      messages.map(({ topic }) => topic),
      messages.map(({ key }) => key),
      messages.map(({ data }) => JSON.stringify(data)),
      messages.map(({ headers }) => JSON.stringify(headers)),
      messages.map(({ recordedAt }) => recordedAt.toISOString()),
      parked.map(({ error }) => error && JSON.stringify(error)),
    ],
  })
}
