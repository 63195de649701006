import { v5 as uuidV5 } from 'uuid'
import type { SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { handlerFailed } from '../subscriptions/handler-failed.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import { encodeMessages } from './message-columns.ts'
import { causalHeaders } from './outbox-store.ts'
import { publishMessages } from './publish.ts'
import type { Route } from './route.ts'
import type { NewMessage } from './topic.ts'

/** Names the checkpoint of a route. */
export function routeSubscription(route: { readonly name: string }): SubscriptionId {
  return { kind: 'route', name: route.name, version: 1 }
}

/** Publishes what events become for others. */
export function routeSubscriber(route: Route, names: LogNames): Subscriber {
  const id = routeSubscription(route)
  return {
    id,
    types: route.registry.types.filter((type) => route.on[type] !== undefined),
    fetches: true,
    durable: true,
    upcast: (event) => route.registry.upcast(event),
    lanes: [
      {
        name: 'messages',
        keyOf: (event) => event.streamId,
        apply: async (client, { events }) => {
          const messages = (events ?? []).flatMap((event) => messagesOf(route, id, event))
          await publishMessages(client, names, messages)
        },
        committed: () => {},
        reset: () => {},
      },
    ],
  }
}

/**
 * Says which messages a route makes of an event. The id of each follows from those of event and route and its
 * place among them.
 *
 * @throws HANDLER_FAILED when the mapping throws, or makes what is no message.
 */
export function messagesOf(
  route: Route,
  id: SubscriptionId,
  event: SequencedEvent,
): readonly NewMessage[] {
  try {
    const routed = route.on[event.type]?.(event) ?? []
    const messages = [routed].flat().map((message, index) => ({
      ...message,
      id: message.id ?? uuidV5(`${route.name}:${index}`, event.id),
      key: message.key === undefined ? event.streamId : message.key,
      headers: { ...causalHeaders(event), ...message.headers },
    }))
    encodeMessages(messages)
    return messages
  } catch (error) {
    throw handlerFailed(id, event, error)
  }
}
