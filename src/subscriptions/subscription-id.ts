/** What a subscription drives. */
export type SubscriptionKind = 'projection' | 'reactor' | 'process' | 'route' | 'relay'

/** Names one checkpoint. */
export interface SubscriptionId {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly version: number
}

/** Names a subscription for people: `projection "orders" version 2`. */
export function describeSubscription(id: SubscriptionId): string {
  const version = id.kind === 'projection' ? ` version ${id.version}` : ''
  return `${id.kind} "${id.name}"${version}`
}
