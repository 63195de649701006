import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { transaction } from '../db/transaction.ts'
import { reviseSubscription } from '../subscriptions/checkpoint.ts'
import { hintToLook } from '../subscriptions/look-around.ts'
import { describeSubscription, type SubscriptionId } from '../subscriptions/subscription-id.ts'
import { relaySubscription } from './relay.ts'

/** Which parked messages of a relay are meant: all, those of a key, or one. */
export interface ParkedMessageTarget {
  readonly key?: string
  readonly position?: bigint
}

/**
 * Has the worker that runs a relay publish parked messages once more, before anything else, in their order. With
 * a position: that message, and those of its key before it. A message that is refused again stays parked, with
 * its new error, and so do all later ones of its key; the others are parked no more. So the order of
 * a key is kept, and later messages of it wait until none is parked.
 *
 * A worker that is about to publish when this comes begins anew: what it has given to the broker just then
 * comes twice, with the same ids.
 *
 * @returns the positions of the messages, ascending.
 * @throws PARKED_EVENT_UNKNOWN when a key or position was named and nothing of it is parked, or there is no
 *   such relay.
 */
export async function retryParkedMessages(
  pool: pg.Pool,
  names: LogNames,
  relay: string,
  target: ParkedMessageTarget = {},
): Promise<readonly bigint[]> {
  const { key, position } = target
  return changeParked(pool, names, relay, target, {
    text: /* sql */ `
      update ${names.schema}.parked_messages as p
      set is_retried = true
      where p.relay = $1
        and ($2::text is null or p.key = $2)
        and (
          $3::bigint is null
          or p.position = $3
          or p.position < $3 and p.key = (
            select o.key
            from ${names.schema}.parked_messages as o
            where o.relay = $1
              and o.position = $3
          )
        )
      returning p.position::text`,
    values: [relay, key ?? null, position?.toString() ?? null],
  })
}

/**
 * Gives up parked messages: they will never be published. What follows a single one stays parked until it is
 * retried; after all of a key are given up, later messages of the key are published. Each is written to the
 * log as a warning.
 *
 * @returns the positions of the messages, ascending.
 * @throws PARKED_EVENT_UNKNOWN when nothing of the kind is parked.
 */
export async function discardParkedMessages(
  pool: pg.Pool,
  names: LogNames,
  relay: string,
  target: ParkedMessageTarget,
  logger: Logger,
): Promise<readonly bigint[]> {
  const { key, position } = target
  const discarded = await changeParked(pool, names, relay, target, {
    text: /* sql */ `
      delete from ${names.schema}.parked_messages as p
      where p.relay = $1
        and ($2::text is null or p.key = $2)
        and ($3::bigint is null or p.position = $3)
      returning p.position::text`,
    values: [relay, key ?? null, position?.toString() ?? null],
  })
  for (const one of discarded) {
    logger.warn(
      { subscription: relaySubscription({ name: relay }), position: one },
      `relay "${relay}" will never publish the message at position ${one} of the outbox`,
    )
  }
  return discarded
}

/** Locks the relay first, so that who runs it waits, and then begins anew. */
async function changeParked(
  pool: pg.Pool,
  names: LogNames,
  relay: string,
  target: ParkedMessageTarget,
  query: { readonly text: string; readonly values: unknown[] },
): Promise<readonly bigint[]> {
  const id = relaySubscription({ name: relay })
  return transaction(pool, async (client) => {
    if (!(await reviseSubscription(client, names, id))) throw messageUnknown(id, target)
    const { rows } = await client.query<{ position: string }>(query)
    const isNamed = target.key !== undefined || target.position !== undefined
    if (rows.length === 0 && isNamed) throw messageUnknown(id, target)
    await client.query(hintToLook(names))
    return rows.map((row) => BigInt(row.position)).sort((a, b) => (a < b ? -1 : 1))
  })
}

function messageUnknown(id: SubscriptionId, { key, position }: ParkedMessageTarget): TidemarkError {
  const subscription = describeSubscription(id)
  const at = position === undefined ? '' : ` at position ${position}`
  const of = key === undefined ? '' : ` of key "${key}"`
  return new TidemarkError(
    'PARKED_EVENT_UNKNOWN',
    `${subscription} has no message parked${at}${of}: \`tidemark parked list\` shows what is`,
    { details: { subscription } },
  )
}
