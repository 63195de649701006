import { type OpenPublisher, webhook } from '../../src/index.ts'
import { rabbitmq } from '../../src/outbox/relays/rabbitmq.ts'

/** Where integration events go. */
export type Destination =
  | { readonly kind: 'rabbitmq'; readonly url: string; readonly exchange: string }
  | { readonly kind: 'webhook'; readonly url: string; readonly secret: string }

/** Opens what publishes to a destination. */
export function publisherTo(destination: Destination): OpenPublisher {
  return destination.kind === 'rabbitmq' ? rabbitmq(destination) : webhook(destination)
}
