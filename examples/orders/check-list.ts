import { type Check, checkEach, unlessEqual } from '../harness/check.ts'
import { orderList } from './order-list.ts'
import { ofType, type Records, type ShopEvent, type ShopStore } from './records.ts'

/** The projection says of each order what its events say. */
export async function checkOrderList(store: ShopStore, { orders }: Records): Promise<Check> {
  const db = await store.query(orderList)
  const rows = await db.selectFrom('orders').selectAll().execute()
  const byId = new Map(rows.map((row) => [row.order_id, row]))
  const ids = new Set([...byId.keys(), ...orders.keys()])
  return checkEach('the list of orders is the fold of the log', ids, (id) => {
    const events = orders.get(id) ?? []
    const row = byId.get(id)
    return [
      ...unlessEqual(`status of ${id}`, row?.status, statusOf(events)),
      ...unlessEqual(`paid for ${id}`, row?.paid, BigInt(paidFor(events))),
    ]
  })
}

function statusOf(events: readonly ShopEvent[]): string {
  if (ofType(events, 'order.shipped').length > 0) return 'shipped'
  if (ofType(events, 'order.cancelled').length > 0) return 'cancelled'
  return paidFor(events) > 0 ? 'paid' : 'open'
}

function paidFor(events: readonly ShopEvent[]): number {
  const charged = ofType(events, 'payment.charged').map(({ data }) => data.cents)
  const refunded = ofType(events, 'payment.refunded').map(({ data }) => -data.cents)
  return [...charged, ...refunded].reduce((sum, cents) => sum + cents, 0)
}
