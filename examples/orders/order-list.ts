import { bigint, enumeration, projection, table, text } from '../../src/index.ts'
import { OrderCancelled, OrderPlaced, OrderShipped } from './order.ts'
import { PaymentCharged, PaymentRefunded } from './payment.ts'

type Status = 'open' | 'paid' | 'shipped' | 'cancelled'

interface OrderRow {
  readonly status: Status
  readonly cents: bigint
  readonly paid: bigint
}

/** Where each order stands, for the shop's pages. */
export const orderList = projection('order_list', {
  version: 1,
  events: [OrderPlaced, PaymentCharged, PaymentRefunded, OrderShipped, OrderCancelled],
  tables: {
    orders: table(
      {
        order_id: text().primaryKey(),
        status: enumeration('open', 'paid', 'shipped', 'cancelled'),
        cents: bigint(),
        paid: bigint(),
      },
      { indexes: { orders_by_status: ['status'] } },
    ),
  },
}).fold('orders', {
  key: ({ data }) => ({ order_id: data.orderId }),
  on: {
    'order.placed': (_, { data }) => ({ status: 'open', cents: BigInt(data.cents), paid: 0n }),
    'payment.charged': (row, { data }) => pay(row, data.cents),
    'payment.refunded': (row, { data }) => pay(row, -data.cents),
    'order.shipped': (row) => set(row, 'shipped'),
    'order.cancelled': (row) => set(row, 'cancelled'),
  },
})

function pay(row: OrderRow | null, cents: number): OrderRow | null {
  if (row === null) return null
  const paid = row.paid + BigInt(cents)
  return { ...row, paid, status: paid > 0n ? 'paid' : 'open' }
}

function set(row: OrderRow | null, status: Status): OrderRow | null {
  return row && { ...row, status }
}
