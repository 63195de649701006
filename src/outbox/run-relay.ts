import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { markFailed } from '../subscriptions/checkpoint.ts'
import { isFinal } from '../subscriptions/is-final.ts'
import { type Relay, relaySubscription } from './relay.ts'
import type { RelayContext } from './relay-context.ts'
import { relayFromCheckpoint } from './relay-from-checkpoint.ts'

/**
 * Runs a relay whenever this process owns it, until aborted: publishes the outbox in its order, and moves the
 * checkpoint behind what the broker has confirmed. A broker that is away is tried again for ever, and `status`
 * says since when. A message that the broker will never take stops the relay until the process restarts,
 * or is parked, whichever its definition says.
 */
export async function runRelay(
  relay: Relay,
  context: RelayContext,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, logger, session } = context
  const id = relaySubscription(relay)
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  let isBegun = false
  await keepTrying(
    async (healthy) => {
      if (!isBegun) await beginRelay(relay, context)
      isBegun = true
      const lease = await session.own(id, ended)
      if (lease === undefined) return
      try {
        const owned = AbortSignal.any([ended, lease.lost])
        await relayFromCheckpoint(relay, context, healthy, owned)
      } catch (error) {
        if (!isFinal(error)) throw error
        const { code, message } = asTidemarkError(relay, error)
        await markFailed(pool, names, id, { code, message })
        const fields = { code, subscription: id, err: error }
        logger.error(fields, `${message}; it stands still until the worker restarts`)
        over.abort()
      } finally {
        await lease.release()
      }
    },
    { task: `relay "${relay.name}"`, signal: ended, logger },
  )
}

/** Gives a new relay its checkpoint. */
async function beginRelay({ name, from }: Relay, { pool, names }: RelayContext): Promise<void> {
  const after = from === 'start' ? 0n : from
  await pool.query(`select ${names.schema}.begin_relay($1, $2)`, [
    name,
    after === 'now' ? null : after.toString(),
  ])
}

function asTidemarkError({ name }: Relay, error: unknown): TidemarkError {
  if (isTidemarkError(error)) return error
  const subscription = `relay "${name}"`
  const reason = error instanceof Error ? error.message : String(error)
  return new TidemarkError('SUBSCRIPTION_FAILED', `${subscription} failed: ${reason}`, {
    details: { subscription, reason },
    cause: error,
  })
}
