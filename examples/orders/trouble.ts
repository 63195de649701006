import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../../src/index.ts'
import type { Chance } from '../harness/chance.ts'
import { Carrier } from './carrier.ts'
import { Stock } from './stock.ts'

export interface Trouble {
  readonly store: Store
  readonly chance: Chance
  readonly products: readonly string[]
  readonly carriers: readonly string[]
}

const stockAtFirst = 40

/** Fills the shelves. */
export async function fillShelves({ store, products }: Trouble): Promise<void> {
  for (const sku of products) {
    await store.execute(Stock, sku, 'receive', { sku, quantity: stockAtFirst })
  }
}

/**
 * Until aborted: the last carrier is on strike, the others go down and come up again, and supplies come rarely
 * enough for shelves to run empty. In the end one carrier is left.
 */
export async function makeTrouble(trouble: Trouble, signal: AbortSignal): Promise<void> {
  const { store, chance, carriers } = trouble
  const [first = '', ...others] = carriers
  const striking = others.at(-1) ?? ''
  await send(store, striking, 'goDown')
  const loops = carriers
    .filter((carrier) => carrier !== striking)
    .map((carrier) => upAndDown({ ...trouble, chance: chance.named(carrier) }, carrier, signal))
  await Promise.all([supply(trouble, signal), ...loops])
  await send(store, first, 'comeUp')
  for (const carrier of others) await send(store, carrier, 'goDown')
}

async function upAndDown(
  { store, chance }: Trouble,
  carrier: string,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await send(store, carrier, chance.happens(0.5) ? 'goDown' : 'comeUp')
    await sleep(chance.between(100, 500), undefined, { signal }).catch(() => {})
  }
}

async function supply({ store, chance, products }: Trouble, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const sku = chance.pick(products)
    const delivery = { sku, quantity: chance.between(1, 10) }
    await store.execute(Stock, sku, 'receive', delivery, { maxAttempts })
    await sleep(chance.between(200, 600), undefined, { signal }).catch(() => {})
  }
}

/** Many write to these streams. */
const maxAttempts = 100

async function send(store: Store, carrier: string, command: 'goDown' | 'comeUp'): Promise<void> {
  await store.execute(Carrier, carrier, command, { carrier }, { maxAttempts })
}
