import { type Act, processManager } from '../../src/index.ts'
import { Carrier, ParcelCollected } from './carrier.ts'
import {
  CancellationRequested,
  Order,
  OrderAccepted,
  OrderPlaced,
  PaymentSubmitted,
} from './order.ts'
import { Payment, PaymentCharged } from './payment.ts'
import { Stock, StockReserved } from './stock.ts'

/** How long a customer may take to pay. */
export const paymentDueMs = 2_000

/** Why an order is cancelled that nobody paid. */
export const notPaidInTime = 'not paid in time'

interface Fulfilment {
  readonly orderId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly cents: number
  readonly carriers: readonly string[]
  /** Lines that are reserved. */
  readonly reserved: number
  readonly card: string | null
}

type FulfilmentAct = Act<
  typeof Order | typeof Stock | typeof Payment | typeof Carrier,
  'payment-due'
>

/**
 * Gets an order out of the house: accept it, reserve its lines, charge the card, have a carrier collect it. Whatever
 * cannot be done has everything before undone, the last first; `order.cancelled` comes at the very end.
 */
export const fulfilment = processManager('fulfilment', {
  events: [
    OrderPlaced,
    OrderAccepted,
    PaymentSubmitted,
    CancellationRequested,
    StockReserved,
    PaymentCharged,
    ParcelCollected,
  ],
  deciders: [Order, Stock, Payment, Carrier],
  id: ({ data }) => data.orderId,
  starts: ['order.placed'],
  from: 'start',
  initial: (): Fulfilment => ({
    orderId: '',
    lines: [],
    cents: 0,
    carriers: [],
    reserved: 0,
    card: null,
  }),
  evolve: {
    'order.placed': (state, { data }) => ({ ...state, ...data }),
    'order.payment-submitted': (state, { data }) => ({ ...state, card: data.card }),
    'stock.reserved': (state) => ({ ...state, reserved: state.reserved + 1 }),
  },
  on: {
    'order.placed': ({ orderId }, _, act) => [
      act.command(
        Order,
        orderId,
        'accept',
        { orderId },
        {
          compensate: act.command(Order, orderId, 'cancel', { orderId }),
        },
      ),
      act.after(paymentDueMs, 'payment-due'),
    ],
    'order.accepted': ({ orderId, lines }, _, act) =>
      lines.map((line) => {
        const reservation = { ...line, orderId }
        return act.command(Stock, line.sku, 'reserve', reservation, {
          compensate: act.command(Stock, line.sku, 'release', reservation),
        })
      }),
    'stock.reserved': chargeWhenReady,
    'order.payment-submitted': (state, _, act) => [
      act.cancel('payment-due'),
      ...chargeWhenReady(state, _, act),
    ],
    'payment.charged': (state, _, act) => collect(state, state.carriers[0], act),
    'carrier.parcel-collected': ({ orderId }, { data: { carrier } }, act) => [
      act.command(Order, orderId, 'ship', { orderId, carrier }),
      act.complete(),
    ],
    'order.cancellation-requested': (_, __, act) => act.fail('cancelled by the customer'),
  },
  onTimer: {
    'payment-due': (_, act) => act.fail(notPaidInTime),
  },
  onRejected: (state, refused, act) => {
    const next = state.carriers[state.carriers.indexOf(refused.target) + 1]
    const hasOther = refused.command === 'collect' && next !== undefined
    return hasOther ? collect(state, next, act) : act.fail(refused.code)
  },
})

/** Charges once both are there: all lines are reserved, and the customer has named a card. */
function chargeWhenReady(state: Fulfilment, _: unknown, act: FulfilmentAct) {
  const { orderId, cents, card, lines, reserved } = state
  if (card === null || reserved < lines.length) return []
  return [
    act.command(
      Payment,
      orderId,
      'charge',
      { orderId, cents, card },
      {
        compensate: act.command(Payment, orderId, 'refund', { orderId, cents }),
      },
    ),
  ]
}

function collect({ orderId }: Fulfilment, carrier: string | undefined, act: FulfilmentAct) {
  if (carrier === undefined) return act.fail('no carrier')
  const parcel = { carrier, orderId }
  return act.command(Carrier, carrier, 'collect', parcel, {
    compensate: act.command(Carrier, carrier, 'recall', parcel),
  })
}
