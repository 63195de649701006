import { describe, test } from 'vitest'
import { Carrier, ParcelCollected } from '../../../examples/orders/carrier.ts'
import { fulfilment, notPaidInTime, paymentDueMs } from '../../../examples/orders/fulfilment.ts'
import {
  CancellationRequested,
  Order,
  OrderAccepted,
  OrderPlaced,
  OrderShipped,
  PaymentSubmitted,
} from '../../../examples/orders/order.ts'
import { Payment, PaymentCharged } from '../../../examples/orders/payment.ts'
import { Stock, StockReserved } from '../../../examples/orders/stock.ts'
import { clock, given, outcome } from '../../../src/testing/index.ts'

const { act } = fulfilment
const orderId = 'o1'
const lines = [
  { sku: 'lamp', quantity: 2 },
  { sku: 'desk', quantity: 1 },
]
const [lamp, desk] = lines.map((line) => ({ ...line, orderId }))
const placed = OrderPlaced({
  orderId,
  lines,
  cents: 4200,
  carriers: ['north', 'south'],
  address: 'here',
})
const accepted = [placed, OrderAccepted({ orderId }), outcome.succeeded(Order, 'accept')] as const
const paid = PaymentSubmitted({ orderId, card: 'good' })
const charged = PaymentCharged({ orderId, cents: 4200 })

if (lamp === undefined || desk === undefined) throw new Error('there are two lines')
const reserved = [
  StockReserved(lamp),
  outcome.succeeded(Stock, 'reserve'),
  StockReserved(desk),
  outcome.succeeded(Stock, 'reserve'),
] as const

const charge = act.command(
  Payment,
  orderId,
  'charge',
  { orderId, cents: 4200, card: 'good' },
  { compensate: act.command(Payment, orderId, 'refund', { orderId, cents: 4200 }) },
)

const collectBy = (carrier: string) =>
  act.command(
    Carrier,
    carrier,
    'collect',
    { carrier, orderId },
    { compensate: act.command(Carrier, carrier, 'recall', { carrier, orderId }) },
  )

describe('a card is charged once both are there:', () => {
  test('the stock, then the payment', () => {
    given(fulfilment, ...accepted, ...reserved)
      .when(paid)
      .then(act.cancel('payment-due'), charge)
  })

  test('the payment, then the last line', () => {
    given(fulfilment, ...accepted, paid, StockReserved(lamp))
      .when(StockReserved(desk))
      .then(charge)
  })
})

test('cancels what is not paid in time, and not what is', () => {
  given(fulfilment, ...accepted)
    .when(clock.advance(paymentDueMs))
    .then(act.fail(notPaidInTime))
  given(fulfilment, ...accepted, paid)
    .when(clock.advance(paymentDueMs))
    .then()
})

test('asks the second carrier when the first is down, and then nobody', () => {
  const ready = [...accepted, ...reserved, paid, charged] as const
  given(fulfilment, ...ready)
    .when(outcome.rejected(Carrier, 'collect', 'carrier-down'))
    .then(collectBy('south'))
  given(fulfilment, ...ready, outcome.rejected(Carrier, 'collect', 'carrier-down'))
    .when(outcome.rejected(Carrier, 'collect', 'carrier-down'))
    .then(act.fail('carrier-down'))
})

test('undoes all steps, the last one first, when the customer cancels at the last moment', () => {
  given(
    fulfilment,
    ...accepted,
    ...reserved,
    paid,
    charged,
    outcome.succeeded(Payment, 'charge'),
    ParcelCollected({ carrier: 'north', orderId }),
    outcome.succeeded(Carrier, 'collect'),
  )
    .when(outcome.rejected(Order, 'ship', 'cancellation-requested'))
    .thenCompensates(
      act.command(Carrier, 'north', 'recall', { carrier: 'north', orderId }),
      act.command(Payment, orderId, 'refund', { orderId, cents: 4200 }),
      act.command(Stock, 'desk', 'release', desk),
      act.command(Stock, 'lamp', 'release', lamp),
      act.command(Order, orderId, 'cancel', { orderId }),
    )
})

describe('an order decides which was first:', () => {
  test('the cancellation', () => {
    given(Order, placed, CancellationRequested({ orderId }))
      .when('ship', { orderId, carrier: 'north' })
      .thenRejected('cancellation-requested')
  })

  test('the parcel', () => {
    given(Order, placed, OrderShipped({ orderId, carrier: 'north' }))
      .when('requestCancellation', { orderId })
      .thenRejected('order-not-open', { status: 'shipped' })
  })
})
