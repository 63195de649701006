import type { AnyEventDefinition, EventOf } from '../core/event.ts'
import { type EventRegistry, eventRegistry } from '../core/event-registry.ts'
import type { NewMessage } from './topic.ts'

/** What an event becomes for others: a message, several, or nothing. */
export type Routed = NewMessage | readonly NewMessage[] | null

export interface RouteOptions<D extends AnyEventDefinition> {
  readonly events: readonly D[]
  /** Where a new route begins: after the last event of the moment (default), at the first, or at a position. */
  readonly from?: 'now' | 'start' | bigint
  /**
   * The public shape of an event of each type. Pure. A type that is not named is never published, so that
   * nothing internal becomes known by accident.
   */
  readonly on: {
    readonly [Type in EventOf<D>['type']]?: (
      event: Extract<EventOf<D>, { readonly type: Type }>,
    ) => Routed
  }
}

/** A route's definition: turns events into messages of the outbox. */
export interface Route {
  readonly kind: 'route'
  readonly name: string
  readonly from: 'now' | 'start' | bigint
  readonly registry: EventRegistry
  readonly on: Readonly<Record<string, ((event: unknown) => Routed) | undefined>>
}

/**
 * Defines a route. Its messages and its checkpoint are written in one transaction, so that each event is
 * published exactly once into the outbox; a rebuild of projections never runs it again. A message's key is
 * the event's stream unless it says otherwise; its id follows from the event and the route, so that
 * receivers know one that is published again.
 *
 * @example
 * route('shop', {
 *   events: [OrderPlaced],
 *   on: { 'order.placed': (e) => PublicOrderPlaced({ orderId: e.data.orderId }) },
 * })
 */
export function route<const D extends AnyEventDefinition>(
  name: string,
  options: RouteOptions<D>,
): Route {
  return {
    kind: 'route',
    name,
    from: options.from ?? 'now',
    registry: eventRegistry(options.events),
    on: options.on as unknown as Route['on'],
  }
}
