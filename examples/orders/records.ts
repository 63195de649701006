import type { EventOf, Store } from '../../src/index.ts'
import { carrierEvents } from './carrier.ts'
import { orderEvents } from './order.ts'
import { paymentEvents } from './payment.ts'
import { stockEvents } from './stock.ts'

export const shopEvents = [
  ...orderEvents,
  ...stockEvents,
  ...paymentEvents,
  ...carrierEvents,
] as const

export type ShopEvent = EventOf<(typeof shopEvents)[number]>
export type ShopStore = Store<(typeof shopEvents)[number]>

/** All that the log has of the shop, in its order. */
export interface Records {
  readonly events: readonly ShopEvent[]
  /** What concerns an order, whatever stream it is of, by the order's id. */
  readonly orders: ReadonlyMap<string, readonly ShopEvent[]>
}

/** Reads the whole log. */
export async function readRecords(store: ShopStore): Promise<Records> {
  const types = shopEvents.map(({ type }) => type)
  const events: ShopEvent[] = await Array.fromAsync(store.logEvents({ types }))
  const ofOrders = events.filter((event) => 'orderId' in event.data)
  const orders = Map.groupBy(ofOrders, ({ data }) => ('orderId' in data ? data.orderId : ''))
  return { events, orders }
}

/** Lists the events of some type. */
export function ofType<Type extends ShopEvent['type']>(
  events: readonly ShopEvent[],
  type: Type,
): readonly Extract<ShopEvent, { readonly type: Type }>[] {
  return events.filter((event) => event.type === type) as never
}
