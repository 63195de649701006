import { setTimeout as sleep } from 'node:timers/promises'
import { isTidemarkError, type Store } from '../../src/index.ts'
import type { Chance } from '../harness/chance.ts'
import { Order } from './order.ts'

export interface Customer {
  readonly name: string
  readonly store: Store
  readonly chance: Chance
  readonly products: readonly string[]
  readonly carriers: readonly string[]
  /** Ids of the orders that the shop has taken. All customers share it. */
  readonly taken: Set<string>
}

/** Longest time that a customer thinks about the next step. */
const thinkMs = 800

/** Places one order after the other, and pays it, forgets about it or cancels it, until aborted. */
export async function runCustomer(customer: Customer, signal: AbortSignal): Promise<void> {
  for (let order = 1; !signal.aborted; order += 1) {
    await shop(customer, `${customer.name}.${order}`, signal)
  }
}

async function shop(customer: Customer, orderId: string, signal: AbortSignal): Promise<void> {
  const { store, chance, taken } = customer
  const think = () => sleep(chance.between(0, thinkMs), undefined, { signal }).catch(() => {})
  const input = drawOrder(customer, orderId)
  await insist(() => store.execute(Order, orderId, 'place', input, { key: `${orderId} place` }))
  taken.add(orderId)
  await think()
  if (chance.happens(0.85)) {
    const card = chance.happens(0.15) ? 'stolen' : 'good'
    const pay = { orderId, card }
    await insist(() =>
      store.execute(Order, orderId, 'submitPayment', pay, { key: `${orderId} pay` }),
    )
  }
  if (!chance.happens(0.2)) return think()
  // Sometimes while the parcel is on its way out of the door.
  await sleep(chance.between(0, 1_500), undefined, { signal }).catch(() => {})
  const key = `${orderId} cancel`
  await insist(() => store.execute(Order, orderId, 'requestCancellation', { orderId }, { key }))
}

function drawOrder({ chance, products, carriers }: Customer, orderId: string) {
  const skus = new Set(Array.from({ length: chance.between(1, 3) }, () => chance.pick(products)))
  const favourite = chance.pick(carriers)
  const other = chance.pick(carriers.filter((one) => one !== favourite))
  return {
    orderId,
    lines: [...skus].map((sku) => ({ sku, quantity: chance.between(1, 3) })),
    cents: chance.between(5_00, 200_00),
    carriers: [favourite, other],
    address: chance.happens(0.1) ? 'nowhere' : 'here',
  }
}

/** Sends a command until it was carried out or refused: who lost every race tries again. */
async function insist(command: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await command()
      return
    } catch (error) {
      if (!isTidemarkError(error, 'STREAM_VERSION_CONFLICT')) throw error
    }
  }
}
