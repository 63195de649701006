import { z } from 'zod'
import { decider, event, reject } from '../../src/index.ts'

const orderId = z.string()

export const OrderPlaced = event('order.placed').v(
  1,
  z.object({
    orderId,
    /** Each product once. */
    lines: z.array(z.object({ sku: z.string(), quantity: z.int().positive() })).min(1),
    cents: z.int().positive(),
    /** Who may bring it, the favourite first. */
    carriers: z.array(z.string()).min(1),
    address: z.string(),
  }),
)
export const OrderAccepted = event('order.accepted').v(1, z.object({ orderId }))
export const PaymentSubmitted = event('order.payment-submitted').v(
  1,
  z.object({ orderId, card: z.string() }),
)
export const CancellationRequested = event('order.cancellation-requested').v(
  1,
  z.object({ orderId }),
)
export const OrderShipped = event('order.shipped').v(1, z.object({ orderId, carrier: z.string() }))
export const OrderCancelled = event('order.cancelled').v(1, z.object({ orderId }))

export const orderEvents = [
  OrderPlaced,
  OrderAccepted,
  PaymentSubmitted,
  CancellationRequested,
  OrderShipped,
  OrderCancelled,
] as const

interface OrderState {
  readonly status: 'none' | 'open' | 'shipped' | 'cancelled'
  readonly address: string
  readonly isPaymentSubmitted: boolean
  readonly isCancellationRequested: boolean
}

interface Placed {
  readonly orderId: string
  readonly lines: { readonly sku: string; readonly quantity: number }[]
  readonly cents: number
  readonly carriers: string[]
  readonly address: string
}

/** An order: what the customer wants and is told. It decides which was first, the parcel or the cancellation. */
export const Order = decider('order', {
  events: orderEvents,
  initial: (): OrderState => ({
    status: 'none',
    address: '',
    isPaymentSubmitted: false,
    isCancellationRequested: false,
  }),
  evolve: {
    'order.placed': (state, { data: { address } }) => ({ ...state, status: 'open', address }),
    'order.accepted': (state) => state,
    'order.payment-submitted': (state) => ({ ...state, isPaymentSubmitted: true }),
    'order.cancellation-requested': (state) => ({ ...state, isCancellationRequested: true }),
    'order.shipped': (state) => ({ ...state, status: 'shipped' }),
    'order.cancelled': (state) => ({ ...state, status: 'cancelled' }),
  },
  commands: {
    place: ({ status }, input: Placed) =>
      status === 'none' ? OrderPlaced(input) : reject('order-exists'),

    submitPayment: (state, input: { orderId: string; card: string }) => {
      if (state.isPaymentSubmitted) return reject('payment-submitted')
      return refusal(state) ?? PaymentSubmitted(input)
    },

    requestCancellation: (state, input: { orderId: string }) =>
      refusal(state) ?? CancellationRequested(input),

    // The commands of the process. The first is never refused, so that there is something to undo last.
    accept: (_, input: { orderId: string }) => OrderAccepted(input),
    ship: (state, input: { orderId: string; carrier: string }) => {
      // Nobody finds out before the parcel is at the door.
      if (state.address === 'nowhere') return refusal(state) ?? reject('no-such-address')
      return refusal(state) ?? OrderShipped(input)
    },
    cancel: ({ status }, input: { orderId: string }) =>
      status === 'open' ? OrderCancelled(input) : reject('order-not-open', { status }),
  },
})

function refusal({ status, isCancellationRequested }: OrderState) {
  if (status !== 'open') return reject('order-not-open', { status })
  return isCancellationRequested ? reject('cancellation-requested') : undefined
}
