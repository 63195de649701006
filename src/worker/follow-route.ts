import { keepTrying } from '../db/keep-trying.ts'
import type { Route } from '../outbox/route.ts'
import { routeSubscriber, routeSubscription } from '../outbox/route-subscriber.ts'
import { createCheckpoint } from '../subscriptions/checkpoint.ts'
import { runSubscription } from '../subscriptions/run-subscription.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'

/** Runs a route. A new one begins where its definition says. */
export async function followRoute(
  route: Route,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, logger } = context
  const created = new AbortController()
  await keepTrying(
    async () => {
      await createCheckpoint(pool, names, routeSubscription(route), startOf(route))
      created.abort()
    },
    {
      task: `route "${route.name}"`,
      signal: AbortSignal.any([signal, created.signal]),
      logger,
    },
  )
  if (signal.aborted) return
  await runSubscription(routeSubscriber(route, names), context, signal)
}

function startOf({ from }: Route): bigint | 'head' {
  if (from === 'now') return 'head'
  return from === 'start' ? 0n : from
}
