import type pg from 'pg'
import { failpoint } from '../core/failpoint.ts'
import type { LogNames } from '../db/log-names.ts'
import { transaction } from '../db/transaction.ts'
import {
  advanceCheckpoint,
  type Checkpoint,
  checkpointRegressed,
  reviseSubscription,
} from '../subscriptions/checkpoint.ts'
import { whole } from '../subscriptions/partitions/partition.ts'
import { readRetried } from './parked-state.ts'
import type { OutboxMessage } from './publisher.ts'
import { type Relay, relaySubscription } from './relay.ts'
import { type Publish, type Relayed, relayMessages } from './relay-messages.ts'

/** What parked messages are retried with, by the process that runs the relay. */
export interface RetryContext {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly owner: string
  readonly relay: Relay
  readonly checkpoint: Checkpoint
}

/**
 * Publishes parked messages that somebody asked to be retried, as many as are given to the broker at once. Those
 * that it takes are parked no more. One that it refuses again stays with its new error, and it and all
 * later ones of its key wait to be retried anew.
 *
 * @returns false when there was nothing to retry, or it was aborted. After true the relay has another revision.
 * @throws CHECKPOINT_REGRESSED when somebody else changed what is parked meanwhile: nothing is recorded.
 */
export async function publishRetried(context: RetryContext, publish: Publish): Promise<boolean> {
  const { pool, names, relay } = context
  const messages = await readRetried(pool, names, relay.name, relay.maxInFlight)
  if (messages.length === 0) return false
  const policy = { name: relay.name, onRefused: 'park' } as const
  const relayed = await relayMessages(policy, messages, new Set(), publish)
  if (relayed === undefined) return false
  failpoint('retried-confirmed')
  await record(context, messages, relayed)
  return true
}

async function record(
  { pool, names, owner, relay, checkpoint }: RetryContext,
  messages: readonly OutboxMessage[],
  { toPark }: Relayed,
): Promise<void> {
  const id = relaySubscription(relay)
  const { position, serverRun, revision } = checkpoint
  const move = { after: position, upto: position, owner, serverRun, revision, partition: whole }
  const left = new Set(toPark.map(({ message }) => message))
  const refused = toPark.filter(({ error }) => error !== null)
  await transaction(pool, async (client) => {
    if (!(await advanceCheckpoint(client, names, id, move))) throw checkpointRegressed(id, position)
    // So that a process which still believes that it runs the relay records nothing.
    await reviseSubscription(client, names, id)
    await client.query(
      /* sql */ `
      delete from ${names.schema}.parked_messages
      where relay = $1 and position = any ($2::bigint[])`,
      [relay.name, messages.filter((one) => !left.has(one)).map((one) => `${one.position}`)],
    )
    await client.query(
      /* sql */ `
      update ${names.schema}.parked_messages as p
      set
        is_retried = false,
        error = case when p.position = r.position then r.error::jsonb else p.error end,
        attempts = p.attempts + (p.position = r.position)::integer
      from unnest($2::bigint[], $3::text[], $4::text[]) as r (position, key, error)
      where p.relay = $1
        -- What comes behind it, also where that was not tried in the same run.
        and (p.position = r.position or p.key = r.key and p.position > r.position)`,
      [
        relay.name,
        refused.map(({ message }) => `${message.position}`),
        refused.map(({ message }) => message.key),
        refused.map(({ error }) => JSON.stringify(error)),
      ],
    )
  })
}
