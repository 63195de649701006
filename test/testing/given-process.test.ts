import { describe, expect, test } from 'vitest'
import { processManager } from '../../src/index.ts'
import { clock, given, outcome } from '../../src/testing/index.ts'
import {
  fulfilment,
  OrderCancelled,
  OrderPlaced,
  Parcel,
  ParcelSent,
  Payment,
  PaymentTaken,
  Stock,
  StockReserved,
  thankYou,
} from '../core/processes/fulfilment.ts'

const { act } = fulfilment
const orderId = 'o1'
const placed = OrderPlaced({ orderId, cents: 4_200, items: 2 })
const release = act.command(Stock, orderId, 'release', { orderId })
const refund = act.command(Payment, orderId, 'refund', { orderId })
const reserve = act.command(
  Stock,
  orderId,
  'reserve',
  { orderId, items: 2 },
  { compensate: release },
)
const charge = act.command(
  Payment,
  orderId,
  'charge',
  { orderId, cents: 4_200 },
  { compensate: refund },
)
const send = act.command(Parcel, orderId, 'send', { orderId })

/** What leads to an order that is paid, told as it happens. */
const paid = [
  placed,
  StockReserved({ orderId, items: 2 }),
  outcome.succeeded(Stock, 'reserve'),
  PaymentTaken({ orderId, cents: 4_200 }),
  outcome.succeeded(Payment, 'charge'),
] as const

test('an event is answered with actions', () => {
  given(fulfilment).when(placed).then(reserve, act.after('30m', 'too-late'))
  given(fulfilment, placed)
    .when(StockReserved({ orderId, items: 2 }))
    .then(charge)
  given(fulfilment, ...paid.slice(0, 3))
    .when(PaymentTaken({ orderId, cents: 4_200 }))
    .then(act.cancel('too-late'), send)
})

test('states are what the events made of them', () => {
  given(fulfilment, placed).thenState({ orderId, cents: 4_200, isPaid: false })
  given(fulfilment, placed)
    .when(PaymentTaken({ orderId, cents: 4_200 }))
    .thenState({ orderId, cents: 4_200, isPaid: true })
})

test('a process ends well once nothing is under way', () => {
  const sent = given(fulfilment, ...paid).when(ParcelSent({ orderId }))
  sent.then(act.job(thankYou({ orderId })), act.complete())
  sent.thenIs('running')
  given(fulfilment, ...paid, ParcelSent({ orderId }))
    .when(outcome.succeeded(Parcel, 'send'))
    .thenIs('completed')
})

describe('the clock', () => {
  test('stands still until it is moved', () => {
    given(fulfilment, placed).when(clock.advance('29m')).then()
    given(fulfilment, placed).when(clock.advance('30m')).then(act.fail('not paid in time'))
    given(fulfilment, placed, clock.advance('29m'))
      .when(clock.advance('60s'))
      .then(act.fail('not paid in time'))
  })

  test('does not wake a timer that was cancelled', () => {
    given(fulfilment, ...paid)
      .when(clock.advance('1d'))
      .then()
  })

  test('wakes timers in the order in which they run down, also those set on the way', () => {
    const ticking = processManager('ticking', {
      events: [OrderPlaced],
      id: (event) => event.data.orderId,
      starts: ['order.placed'],
      initial: () => 0,
      on: {
        'order.placed': (_, __, a) => [a.after('3s', 'end'), a.after('1s', 'tick')],
      },
      onTimer: {
        tick: (_, a) => a.after('1500ms', 'tick'),
        end: (_, a) => a.complete(),
      },
    })
    given(ticking, placed)
      .when(clock.advance('10s'))
      .then(
        ticking.act.after('1500ms', 'tick'),
        ticking.act.after('1500ms', 'tick'),
        ticking.act.complete(),
      )
  })
})

describe('a process that fails', () => {
  test('undoes what succeeded, the last one first', () => {
    given(fulfilment, ...paid)
      .when(outcome.succeeded(Parcel, 'send'))
      .thenIs('running')
    const failed = given(fulfilment, ...paid, outcome.succeeded(Parcel, 'send')).when(
      OrderCancelled({ orderId }),
    )
    failed.then(act.fail('cancelled'))
    failed.thenIs('compensating')
    failed.thenCompensates(refund, release)
    failed.thenIs('compensated')
  })

  test('waits for what is under way, and undoes that first', () => {
    const cancelled = [
      placed,
      outcome.succeeded(Stock, 'reserve'),
      StockReserved({ orderId, items: 2 }),
    ]
    const failed = given(fulfilment, ...cancelled).when(OrderCancelled({ orderId }))
    failed.thenIs('compensating')
    failed.thenCompensates()
    given(fulfilment, ...cancelled, OrderCancelled({ orderId }))
      .when(outcome.succeeded(Payment, 'charge'))
      .thenCompensates(refund, release)
    given(fulfilment, ...cancelled, OrderCancelled({ orderId }))
      .when(outcome.gaveUp(Payment, 'charge'))
      .thenCompensates(release)
  })

  test('has failed when a command was refused, unless it has an answer to that', () => {
    given(
      fulfilment,
      placed,
      StockReserved({ orderId, items: 2 }),
      outcome.succeeded(Stock, 'reserve'),
    )
      .when(outcome.rejected(Payment, 'charge', 'card-refused', { limit: 100_000 }))
      .then(act.fail('command "charge" was refused by "payment-o1": card-refused'))
    given(fulfilment, placed)
      .when(outcome.rejected(Stock, 'reserve', 'out-of-stock'))
      .thenIs('compensated')
  })

  test('is stuck when a compensation cannot be carried out', () => {
    const failed = [placed, outcome.succeeded(Stock, 'reserve'), OrderCancelled({ orderId })]
    given(fulfilment, ...failed)
      .when(outcome.gaveUp(Stock, 'release'))
      .thenIs('stuck')
  })

  test('hears nothing more once it is over', () => {
    const over = given(
      fulfilment,
      placed,
      OrderCancelled({ orderId }),
      outcome.gaveUp(Stock, 'reserve'),
    )
    over.when(placed).then()
    over.when(placed).thenIs('compensated')
  })
})

test('an event of no instance that is there is ignored', () => {
  given(fulfilment)
    .when(StockReserved({ orderId, items: 2 }))
    .then()
})

describe('what is wrong is said', () => {
  test('as lines that show what was expected', () => {
    expect(() => given(fulfilment).when(placed).then(reserve)).toThrow(/timer "too-late" at 2026/)
    expect(() => given(fulfilment).when(placed).then()).toThrow(/command stock-o1 reserve/)
  })

  test('of a handler that is not pure', () => {
    let calls = 0
    const impure = processManager('impure', {
      events: [OrderPlaced],
      id: (event) => event.data.orderId,
      starts: ['order.placed'],
      initial: () => 0,
      on: {
        'order.placed': (_, __, a) => a.fail(`call ${++calls}`),
      },
    })
    expect(() => given(impure).when(placed)).toThrow(/not pure/)
  })

  test('of an outcome of what is not under way', () => {
    expect(() => given(fulfilment, placed).when(outcome.succeeded(Payment, 'charge'))).toThrow(
      /no command "charge" to "payment" is under way/,
    )
  })
})
