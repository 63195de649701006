import { type Check, checkEach, unlessEqual } from '../harness/check.ts'
import { ofType, type Records, type ShopStore } from './records.ts'
import { Stock } from './stock.ts'

/** What came in is on the shelf or was shipped, and no shelf ever held less than nothing. */
export async function checkStock(
  store: ShopStore,
  { events, orders }: Records,
  products: readonly string[],
): Promise<Check> {
  const left = new Map<string, number>()
  for (const sku of products) left.set(sku, (await store.load(Stock, sku)).state.left)
  const shipped = [...orders.values()].filter((one) => ofType(one, 'order.shipped').length > 0)
  const lines = shipped.flatMap((one) =>
    ofType(one, 'order.placed').flatMap(({ data }) => data.lines),
  )
  return checkEach('stock: received = left + shipped', products, (sku) => {
    const received = sum(
      ofType(events, 'stock.received')
        .filter(({ data }) => data.sku === sku)
        .map(({ data }) => data.quantity),
    )
    const gone = sum(lines.filter((line) => line.sku === sku).map(({ quantity }) => quantity))
    return [
      ...unlessEqual(`${sku} received`, received, (left.get(sku) ?? 0) + gone),
      ...((left.get(sku) ?? 0) < 0 ? [`${sku} is oversold`] : []),
    ]
  })
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0)
}
