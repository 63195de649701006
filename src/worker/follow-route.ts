import type { Route } from '../outbox/route.ts'
import { routeSubscriber } from '../outbox/route-subscriber.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'
import { followFrom } from './follow-from.ts'

/** Runs a route. A new one begins where its definition says. */
export async function followRoute(
  route: Route,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<void> {
  await followFrom(route.from, routeSubscriber(route, context.names), context, signal)
}
