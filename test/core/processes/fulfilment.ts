import { z } from 'zod'
import { decider, event, processManager, reject, task } from '../../../src/index.ts'

export const OrderPlaced = event('order.placed').v(
  1,
  z.object({ orderId: z.string(), cents: z.int(), items: z.int() }),
)
export const OrderCancelled = event('order.cancelled').v(1, z.object({ orderId: z.string() }))
export const PaymentTaken = event('payment.taken').v(
  1,
  z.object({ orderId: z.string(), cents: z.int() }),
)
export const PaymentRefunded = event('payment.refunded').v(1, z.object({ orderId: z.string() }))
export const StockReserved = event('stock.reserved').v(
  1,
  z.object({ orderId: z.string(), items: z.int() }),
)
export const StockReleased = event('stock.released').v(1, z.object({ orderId: z.string() }))
export const ParcelSent = event('parcel.sent').v(1, z.object({ orderId: z.string() }))

export const Payment = decider('payment', {
  events: [PaymentTaken, PaymentRefunded],
  initial: () => ({ taken: 0 }),
  evolve: {
    'payment.taken': (_, e) => ({ taken: e.data.cents }),
    'payment.refunded': () => ({ taken: 0 }),
  },
  commands: {
    charge: (_, c: { orderId: string; cents: number }) =>
      c.cents > 100_000 ? reject('card-refused', { limit: 100_000 }) : PaymentTaken(c),
    refund: (s, c: { orderId: string }) => (s.taken === 0 ? [] : PaymentRefunded(c)),
  },
})

export const Stock = decider('stock', {
  events: [StockReserved, StockReleased],
  initial: () => ({ reserved: 0 }),
  evolve: {
    'stock.reserved': (_, e) => ({ reserved: e.data.items }),
    'stock.released': () => ({ reserved: 0 }),
  },
  commands: {
    reserve: (_, c: { orderId: string; items: number }) =>
      c.items > 10 ? reject('out-of-stock') : StockReserved(c),
    release: (s, c: { orderId: string }) => (s.reserved === 0 ? [] : StockReleased(c)),
  },
})

export const Parcel = decider('parcel', {
  events: [ParcelSent],
  initial: () => ({ isSent: false }),
  evolve: { 'parcel.sent': () => ({ isSent: true }) },
  commands: {
    send: (s, c: { orderId: string }) => (s.isSent ? [] : ParcelSent(c)),
  },
})

export const thankYou = task('thank-you', {
  payload: z.object({ orderId: z.string() }),
  run: async () => {},
})

/** Reserve, charge, send; and undo what was done when a step is refused, or nobody pays in time. */
export const fulfilment = processManager('fulfilment', {
  events: [OrderPlaced, OrderCancelled, StockReserved, PaymentTaken, ParcelSent],
  deciders: [Payment, Stock, Parcel],
  id: (event) => event.data.orderId,
  starts: ['order.placed'],
  from: 'start',
  initial: () => ({ orderId: '', cents: 0, isPaid: false }),
  evolve: {
    'order.placed': (_, { data }) => ({ orderId: data.orderId, cents: data.cents, isPaid: false }),
    'payment.taken': (state) => ({ ...state, isPaid: true }),
  },
  on: {
    'order.placed': (_, { data: { orderId, items } }, act) => [
      act.command(
        Stock,
        orderId,
        'reserve',
        { orderId, items },
        { compensate: act.command(Stock, orderId, 'release', { orderId }) },
      ),
      act.after('30m', 'too-late'),
    ],
    'stock.reserved': ({ cents, orderId }, _, act) =>
      act.command(
        Payment,
        orderId,
        'charge',
        { orderId, cents },
        { compensate: act.command(Payment, orderId, 'refund', { orderId }) },
      ),
    'payment.taken': ({ orderId }, _, act) => [
      act.cancel('too-late'),
      act.command(Parcel, orderId, 'send', { orderId }),
    ],
    'parcel.sent': ({ orderId }, _, act) => [act.job(thankYou({ orderId })), act.complete()],
    'order.cancelled': (_, __, act) => act.fail('cancelled'),
  },
  onTimer: {
    'too-late': (state, act) => (state.isPaid ? [] : act.fail('not paid in time')),
  },
})
