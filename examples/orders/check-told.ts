import type pg from 'pg'
import type { CloudEvent } from '../../src/index.ts'
import { type Check, checkEach, unlessEqual } from '../harness/check.ts'
import type { Records, ShopEvent } from './records.ts'

const mailOf: { readonly [type: string]: string } = {
  'order.placed': 'confirmed',
  'order.shipped': 'shipped',
  'order.cancelled': 'cancelled',
}

/** Each customer had each mail once, in the order of what happened. */
export async function checkMails(pool: pg.Pool, { orders }: Records): Promise<Check> {
  const { rows } = await pool.query<{ order_id: string; kind: string }>(
    'select order_id, kind from public.mails order by sent',
  )
  const sent = Map.groupBy(rows, ({ order_id }) => order_id)
  return checkEach('each mail is sent once, in order', orders, ([id, events]) => {
    const kinds = (sent.get(id) ?? []).map(({ kind }) => kind)
    return unlessEqual(`mails of ${id}`, kinds.join(), wordsOf(events, mailOf))
  })
}

const topicOf: { readonly [type: string]: string } = {
  'order.placed': 'orders.order.placed',
  'payment.charged': 'orders.order.paid',
  'order.shipped': 'orders.order.shipped',
  'order.cancelled': 'orders.order.cancelled',
}

/** Other systems heard of everything at least once, of each order in its order, by first coming. */
export function checkMessages(received: readonly CloudEvent[], { orders }: Records): Check {
  const first = new Map(received.toReversed().map((message) => [message.id, message]))
  const came = received.filter((message) => first.get(message.id) === message)
  const byOrder = Map.groupBy(came, ({ subject }) => subject ?? '')
  const ids = new Set([...orders.keys(), ...byOrder.keys()])
  return checkEach('each integration event is published, in order', ids, (id) => {
    const topics = (byOrder.get(id) ?? []).map(({ type }) => type)
    return unlessEqual(`messages of ${id}`, topics.join(), wordsOf(orders.get(id) ?? [], topicOf))
  })
}

/** How many came more than once, which is allowed: they have one id. */
export function countDuplicates(received: readonly CloudEvent[]): number {
  return received.length - new Set(received.map(({ id }) => id)).size
}

function wordsOf(events: readonly ShopEvent[], words: { readonly [type: string]: string }): string {
  return events.flatMap(({ type }) => words[type] ?? []).join()
}
