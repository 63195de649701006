import { isTidemarkError, TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { sqlstateOf } from '../../db/sqlstate.ts'
import { defaultMaxParked, type Subscriber } from '../subscriber.ts'
import { describeSubscription, type SubscriptionId } from '../subscription-id.ts'
import type { ParkedError } from './parked-key.ts'
import { type ParkedEvent, ParkedKeys } from './parked-keys.ts'

/**
 * Parks events, in the transaction that moves the checkpoint past them. Of a partitioned subscription
 * others may park at the same time, so that a few more than it may have can come to be there.
 *
 * @throws PARKING_FULL when the subscription would have more than it may.
 */
export async function parkEvents(
  connection: Connection,
  names: LogNames,
  subscriber: Subscriber,
  parked: ParkedKeys,
  events: readonly ParkedEvent[],
): Promise<void> {
  if (events.length === 0) return
  const { id, partition, maxParked = defaultMaxParked } = subscriber
  const before =
    partition === undefined ? parked.events : (await readParkedKeys(connection, names, id)).events
  if (before + events.length > maxParked) throw parkingFull(id, before, maxParked)
  await run(connection, {
    text: /* sql */ `
      insert into ${names.schema}.parked_events
        (kind, name, version, lane, key, position, event_id, type, stream_id, stream_version, error,
          attempts)
      select $1, $2, $3, p.lane, p.key, p.position, p.event_id, p.type, p.stream_id, p.stream_version,
        p.error, case when p.error is null then 0 else 1 end
      from unnest(
        $4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::text[], $9::text[], $10::bigint[],
        $11::jsonb[]
      ) as p (lane, key, position, event_id, type, stream_id, stream_version, error)`,
    values: [
      ...[id.kind, id.name, id.version],
      events.map(({ lane }) => lane),
      events.map(({ key }) => key),
      events.map(({ event }) => event.position.toString()),
      events.map(({ event }) => event.id),
      events.map(({ event }) => event.type),
      events.map(({ event }) => event.streamId),
      events.map(({ event }) => event.version.toString()),
      events.map(({ error }) => (error === null ? null : JSON.stringify(describeError(error)))),
    ],
  })
}

/** Reads which keys are parked. */
export async function readParkedKeys(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<ParkedKeys> {
  const rows = await run<{ lane: string; key: string; events: number }>(connection, {
    text: /* sql */ `
      select lane, key, count(*)::integer as events
      from ${names.schema}.parked_events
      where kind = $1 and name = $2 and version = $3
      group by lane, key`,
    values: [id.kind, id.name, id.version],
  })
  return new ParkedKeys(rows)
}

/** Says an error as it is kept: code and one line. */
export function describeError(error: unknown): ParkedError {
  const cause = isTidemarkError(error, 'HANDLER_FAILED') ? (error.cause ?? error) : error
  const code = isTidemarkError(cause) ? cause.code : sqlstateOf(cause)
  const message = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s+/g, ' ')
  // The server's text has no place for these.
  return { code: code ?? null, message: message.replaceAll('\0', '').toWellFormed() }
}

function parkingFull(id: SubscriptionId, parked: number, maxParked: number): TidemarkError {
  const subscription = describeSubscription(id)
  return new TidemarkError(
    'PARKING_FULL',
    `${subscription} has ${parked} events parked and may not park more than ${maxParked}: ` +
      'mend its handler, retry them (`tidemark parked retry`), then restart the worker',
    { details: { subscription, parked, maxParked } },
  )
}
