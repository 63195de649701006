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
export interface ParkedMessage extends ParkedMessageEntry {
  readonly kind: 'message'
  readonly relay: string
  readonly key: string | null
  readonly messageId: string
  readonly data: Json
  readonly headers: Readonly<Record<string, string>>
  readonly recordedAt: Date
}

/** A key of which a relay publishes nothing, because its broker refused a message of it. */
export interface ParkedMessageKey {
  readonly kind: 'relay'
  readonly name: string
  /** Null for a message without a key, behind which none waits. */
  readonly key: string | null
  /** How many messages wait. */
  readonly messages: number
  /** How many of them the worker that runs the relay is to try once more. */
  readonly retried: number
  /** The first of them, which is tried next. */
  readonly first: ParkedMessageEntry
}

/** A parked message, without what is in it. */
export interface ParkedMessageEntry {
  /** Place in the outbox's order. */
  readonly position: bigint
  readonly topic: string
  /** Why the broker refused it; null for one that waits behind another. */
  readonly error: { readonly code: string; readonly message: string } | null
  /** How often it was refused: when it was parked, and when it was retried. */
  readonly attempts: number
  readonly isRetried: boolean
  readonly parkedAt: Date
}

/** Which parked messages are meant. What is left out is any. */
export interface ParkedMessageFilter {
  readonly relay?: string
  readonly key?: string
  readonly position?: bigint
}

interface EntryRow {
  readonly relay: string
  readonly key: string | null
  readonly position: string
  readonly topic: string
  readonly error: ParkedMessageEntry['error']
  readonly attempts: number
  readonly is_retried: boolean
  readonly parked_at: Date
}

interface KeyRow extends EntryRow {
  readonly messages: number
  readonly retried: number
}

interface MessageRow extends EntryRow {
  readonly message_id: string
  readonly data: Json
  readonly headers: Readonly<Record<string, string>>
  readonly recorded_at: Date
}

const entryColumns = 'relay, key, position::text, topic, error, attempts, is_retried, parked_at'

const matching = `
  where ($1::text is null or relay = $1)
    and ($2::text is null or key = $2)
    and ($3::bigint is null or parked_messages.position = $3)`

/** Lists the keys that relays have parked, each with its first message. */
export async function listParkedMessageKeys(
  connection: Connection,
  { schema }: LogNames,
  filter: ParkedMessageFilter = {},
): Promise<readonly ParkedMessageKey[]> {
  const rows = await run<KeyRow>(connection, {
    text: /* sql */ `
      select distinct on (relay, key, alone) ${entryColumns},
        (count(*) over same)::integer as messages,
        (count(*) filter (where is_retried) over same)::integer as retried
      from ${schema}.parked_messages
      -- One without a key is a key of its own.
      cross join lateral (select case when key is null then parked_messages.position end) as a (alone)
      ${matching}
      window same as (partition by relay, key, alone)
      order by relay, key, alone, parked_messages.position`,
    values: valuesOf(filter),
  })
  return rows.map((row) => {
    const { relay: name, key, messages, retried } = row
    return { kind: 'relay', name, key, messages, retried, first: toEntry(row) }
  })
}

/** Lists parked messages with what is in them, by relay and in their order. */
export async function listParkedMessages(
  connection: Connection,
  { schema }: LogNames,
  filter: ParkedMessageFilter = {},
): Promise<readonly ParkedMessage[]> {
  const rows = await run<MessageRow>(connection, {
    text: /* sql */ `
      select ${entryColumns}, message_id::text, data, headers, recorded_at
      from ${schema}.parked_messages
      ${matching}
      order by relay, parked_messages.position`,
    values: valuesOf(filter),
  })
  return rows.map((row) => ({
    kind: 'message',
    relay: row.relay,
    key: row.key,
    ...toEntry(row),
    messageId: row.message_id,
    data: row.data,
    headers: row.headers,
    recordedAt: row.recorded_at,
  }))
}

function valuesOf({ relay, key, position }: ParkedMessageFilter): readonly unknown[] {
  return [relay ?? null, key ?? null, position?.toString() ?? null]
}

function toEntry({ position, topic, error, attempts, ...row }: EntryRow): ParkedMessageEntry {
  return {
    position: BigInt(position),
    topic,
    error,
    attempts,
    isRetried: row.is_retried,
    parkedAt: row.parked_at,
  }
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
