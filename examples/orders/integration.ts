import { z } from 'zod'
import { route, topic } from '../../src/index.ts'
import { OrderCancelled, OrderPlaced, OrderShipped } from './order.ts'
import { PaymentCharged } from './payment.ts'

const orderId = z.string()

/** What other systems are told: shapes of their own, which stay when the events of the shop change. */
export const PublicPlaced = topic('orders.order.placed', z.object({ orderId, cents: z.int() }))
export const PublicPaid = topic('orders.order.paid', z.object({ orderId, cents: z.int() }))
export const PublicShipped = topic('orders.order.shipped', z.object({ orderId, by: z.string() }))
export const PublicCancelled = topic('orders.order.cancelled', z.object({ orderId }))

/** Turns events into integration events. The key is the order's, whatever stream the event is of. */
export const integration = route('integration', {
  events: [OrderPlaced, PaymentCharged, OrderShipped, OrderCancelled],
  from: 'start',
  on: {
    'order.placed': ({ data: { orderId: key, cents } }) =>
      PublicPlaced({ orderId: key, cents }, { key }),
    'payment.charged': ({ data: { orderId: key, cents } }) =>
      PublicPaid({ orderId: key, cents }, { key }),
    'order.shipped': ({ data: { orderId: key, carrier } }) =>
      PublicShipped({ orderId: key, by: carrier }, { key }),
    'order.cancelled': ({ data: { orderId: key } }) => PublicCancelled({ orderId: key }, { key }),
  },
})
