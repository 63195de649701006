import { keepTrying } from '../db/keep-trying.ts'
import { createCheckpoint } from '../subscriptions/checkpoint.ts'
import { runSubscription } from '../subscriptions/run-subscription.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'
import { describeSubscription } from '../subscriptions/subscription-id.ts'

/** Runs a subscription that begins where its definition says, once it is there, until aborted. */
export async function followFrom(
  from: 'now' | 'start' | bigint,
  subscriber: Subscriber,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, logger } = context
  const { id } = subscriber
  const created = new AbortController()
  await keepTrying(
    async () => {
      await createCheckpoint(pool, names, id, startOf(from))
      created.abort()
    },
    {
      task: describeSubscription(id),
      signal: AbortSignal.any([signal, created.signal]),
      logger,
    },
  )
  if (signal.aborted) return
  await runSubscription(subscriber, context, signal)
}

function startOf(from: 'now' | 'start' | bigint): bigint | 'head' {
  if (from === 'now') return 'head'
  return from === 'start' ? 0n : from
}
