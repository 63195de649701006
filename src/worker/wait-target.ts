import type { AnyProcess } from '../core/processes/process-manager.ts'
import { processSubscription } from '../jobs/processes/process-subscriber.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscription } from '../jobs/reactor-subscriber.ts'
import type { Route } from '../outbox/route.ts'
import { routeSubscription } from '../outbox/route-subscriber.ts'
import type { AnyProjection } from '../projections/projection.ts'

/** What can be waited for. */
export type WaitTarget = AnyProjection | Reactor | AnyProcess | Route

/** Names the subscription that is waited for: of a projection the live version, or the one that is defined. */
export function toTarget(target: WaitTarget, from: 'live' | 'defined') {
  if ('kind' in target && target.kind === 'route') return routeSubscription(target)
  if ('starts' in target) return processSubscription(target)
  if ('on' in target) return reactorSubscription(target)
  const { name, version } = target
  return { kind: 'projection' as const, name, ...(from === 'defined' ? { version } : {}) }
}
