import { z } from 'zod'
import { decider, event, reject } from '../../src/index.ts'

const carrier = z.string()
const parcel = z.object({ carrier, orderId: z.string() })

export const CarrierWentDown = event('carrier.went-down').v(1, z.object({ carrier }))
export const CarrierCameUp = event('carrier.came-up').v(1, z.object({ carrier }))
export const ParcelCollected = event('carrier.parcel-collected').v(1, parcel)
export const ParcelRecalled = event('carrier.parcel-recalled').v(1, parcel)

export const carrierEvents = [
  CarrierWentDown,
  CarrierCameUp,
  ParcelCollected,
  ParcelRecalled,
] as const

interface Parcel {
  readonly carrier: string
  readonly orderId: string
}

/** Who brings parcels, unless it is down. A parcel that it has it also gives back. */
export const Carrier = decider('carrier', {
  events: carrierEvents,
  initial: () => ({ isDown: false }),
  evolve: {
    'carrier.went-down': () => ({ isDown: true }),
    'carrier.came-up': () => ({ isDown: false }),
    'carrier.parcel-collected': (state) => state,
    'carrier.parcel-recalled': (state) => state,
  },
  commands: {
    goDown: ({ isDown }, input: { carrier: string }) => (isDown ? [] : CarrierWentDown(input)),
    comeUp: ({ isDown }, input: { carrier: string }) => (isDown ? CarrierCameUp(input) : []),
    collect: ({ isDown }, input: Parcel) =>
      isDown ? reject('carrier-down') : ParcelCollected(input),
    recall: (_, input: Parcel) => ParcelRecalled(input),
  },
  snapshot: { every: 100 },
})
