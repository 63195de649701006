import { z } from 'zod'
import { decider, event, reject } from '../../src/index.ts'

const sku = z.string()
const quantity = z.int().positive()
const orderId = z.string()

export const StockReceived = event('stock.received').v(1, z.object({ sku, quantity }))
export const StockReserved = event('stock.reserved').v(1, z.object({ sku, orderId, quantity }))
export const StockReleased = event('stock.released').v(1, z.object({ sku, orderId, quantity }))

export const stockEvents = [StockReceived, StockReserved, StockReleased] as const

interface Reservation {
  readonly sku: string
  readonly orderId: string
  readonly quantity: number
}

/** What there is of a product. */
export const Stock = decider('stock', {
  events: stockEvents,
  initial: () => ({ left: 0 }),
  evolve: {
    'stock.received': ({ left }, { data }) => ({ left: left + data.quantity }),
    'stock.reserved': ({ left }, { data }) => ({ left: left - data.quantity }),
    'stock.released': ({ left }, { data }) => ({ left: left + data.quantity }),
  },
  commands: {
    receive: (_, input: { sku: string; quantity: number }) => StockReceived(input),
    reserve: ({ left }, input: Reservation) =>
      input.quantity > left ? reject('out-of-stock', { left }) : StockReserved(input),
    release: (_, input: Reservation) => StockReleased(input),
  },
  snapshot: { every: 100 },
})
