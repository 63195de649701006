import { type Check, checkEach, unlessEqual } from '../harness/check.ts'
import { ofType, type Records, type ShopEvent } from './records.ts'

/** What each step is undone by. */
const undoneBy: { readonly [type: string]: ShopEvent['type'] } = {
  'order.accepted': 'order.cancelled',
  'stock.reserved': 'stock.released',
  'payment.charged': 'payment.refunded',
  'carrier.parcel-collected': 'carrier.parcel-recalled',
}

const undoing: ReadonlySet<string> = new Set(Object.values(undoneBy))

/** Each order that a customer was promised is shipped and paid for, or cancelled with all of it undone. */
export function checkEnds({ orders }: Records, taken: ReadonlySet<string>): Check {
  const ids = new Set([...orders.keys(), ...taken])
  const invariant = 'an order is shipped and paid, or cancelled and all undone'
  return checkEach(invariant, ids, (id) => {
    const events = orders.get(id) ?? []
    const ends = events.filter(({ type }) => type === 'order.shipped' || type === 'order.cancelled')
    if (!taken.has(id)) return [`${id}: no customer has placed it`]
    if (ends.length !== 1) return [`${id} was shipped or cancelled ${ends.length} times`]
    const isShipped = ends[0]?.type === 'order.shipped'
    return isShipped ? shippedFaults(id, events) : cancelledFaults(id, events)
  })
}

function shippedFaults(id: string, events: readonly ShopEvent[]): readonly string[] {
  const [placed] = ofType(events, 'order.placed')
  const charges = ofType(events, 'payment.charged')
  const reserved = ofType(events, 'stock.reserved').map(
    ({ data }) => `${data.quantity} ${data.sku}`,
  )
  const wanted = placed?.data.lines.map(({ sku, quantity }) => `${quantity} ${sku}`) ?? []
  return [
    ...unlessEqual(
      `${id} was charged`,
      charges.map(({ data }) => data.cents).join(),
      `${placed?.data.cents}`,
    ),
    ...unlessEqual(`${id} was given`, reserved.toSorted().join(), wanted.toSorted().join()),
    ...unlessEqual(`${id} was collected`, ofType(events, 'carrier.parcel-collected').length, 1),
    ...unlessEqual(
      `${id} had steps undone`,
      events.filter(({ type }) => undoing.has(type)).length,
      0,
    ),
  ]
}

function cancelledFaults(id: string, events: readonly ShopEvent[]): readonly string[] {
  return Object.entries(undoneBy).flatMap(([type, undo]) => {
    const done = ofType(events, type as ShopEvent['type'])
      .map(thingOf)
      .toSorted()
      .join()
    const undone = ofType(events, undo).map(thingOf).toSorted().join()
    return unlessEqual(`${id}, ${type} but ${undo}`, undone, done)
  })
}

/** Compensations ran one after the other, the last step first, in the order of the log. */
export function checkReverseOrder({ orders }: Records): Check {
  const cancelled = [...orders].filter(([, events]) => ofType(events, 'order.cancelled').length > 0)
  const invariant = 'what was done is undone in the reverse order'
  return checkEach(invariant, cancelled, ([id, events]) => {
    const done = events
      .filter(({ type }) => undoneBy[type] !== undefined)
      .map((event) => `${undoneBy[event.type]} ${thingOf(event)}`)
    const undone = events
      .filter(({ type }) => undoing.has(type))
      .map((event) => `${event.type} ${thingOf(event)}`)
    return unlessEqual(id, undone.join(', '), done.toReversed().join(', '))
  })
}

/** What of an order an event is about: the product, the carrier, or the order as a whole. */
function thingOf({ data }: ShopEvent): string {
  if ('sku' in data) return data.sku
  return 'carrier' in data ? data.carrier : ''
}

/** Nobody pays for what was never ordered, or more than was ordered. */
export function checkCharges({ events }: Records): Check {
  const placed = new Map<string, number>()
  for (const { data } of ofType(events, 'order.placed')) placed.set(data.orderId, data.cents)
  const charged = new Set<string>()
  const charges = ofType(events, 'payment.charged')
  return checkEach('no charge without an order, none twice', charges, ({ data }) => {
    const { orderId, cents } = data
    const isAgain = charged.has(orderId)
    charged.add(orderId)
    return [
      ...(isAgain ? [`${orderId} was charged again`] : []),
      ...unlessEqual(`${orderId} was charged`, cents, placed.get(orderId)),
    ]
  })
}

/** Whoever paid for an order that came to nothing has the money back, once. */
export function checkRefunds({ orders }: Records): Check {
  const paidInVain = [...orders].filter(
    ([, events]) =>
      ofType(events, 'payment.charged').length > 0 && ofType(events, 'order.shipped').length === 0,
  )
  return checkEach('a charge of a cancelled order is refunded once', paidInVain, ([id, events]) => [
    ...unlessEqual(`refunds of ${id}`, ofType(events, 'payment.refunded').length, 1),
    ...unlessEqual(`charges of ${id}`, ofType(events, 'payment.charged').length, 1),
  ])
}
