import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createStore, event } from '../src/index.ts'
import { sequenceNow } from './sequencer/ledger.ts'
import { useDatabase } from './support/database.ts'

const database = useDatabase()

const OrderPlaced = event('order.placed').v(1, z.object({ orderId: z.uuid(), cents: z.int() }))
const OrderPaid = event('order.paid').v(1, z.object({ orderId: z.uuid() }))

const orderId = crypto.randomUUID()
const [placed, paid] = [crypto.randomUUID(), crypto.randomUUID()]

beforeAll(async () => {
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [OrderPlaced, OrderPaid] })
  const stream = `order-${orderId}`
  await store.append(stream, OrderPlaced({ orderId, cents: 4200 }, { id: placed, tags: ['vip'] }))
  await store.append(stream, OrderPaid({ orderId }, { id: paid }), { causedBy: { id: placed } })
  await sequenceNow(database.pool)
})

test('the examples of reading in the README run as they stand', async () => {
  const readme = await readFile('README.md', 'utf8')
  const example = /<!-- reading.*?-->\n```ts\n(.*?)```/s.exec(readme)?.[1] ?? ''
  expect(example.split('\n').length).toBeGreaterThan(15)

  const file = join(import.meta.dirname, `.readme-reading-${process.pid}.ts`)
  await writeFile(
    file,
    `export async function read(store, given, console) {
      const { orderId, lastWeek, cursor, correlationId, eventId } = given
      ${example}
      return { history, latest, last, events, next, flow, causes, effects }
    }`,
  )
  try {
    const { read } = await import(file)
    const { connectionString } = database
    await using store = await createStore({ connectionString, events: [OrderPlaced, OrderPaid] })
    const printed: unknown[][] = []
    const console = { log: (...values: unknown[]) => printed.push(values) }
    const lastWeek = new Date(Date.now() - 7 * 86_400_000)
    const given = { orderId, lastWeek, correlationId: placed, eventId: placed }

    expect(await read(store, given, console)).toMatchObject({
      history: [{ id: placed }, { id: paid }],
      latest: [{ id: paid }, { id: placed }],
      last: { id: paid },
      events: [{ id: placed, position: 1n }],
      next: null,
      flow: [{ id: paid, position: 2n }],
      causes: [],
      effects: [{ id: paid }],
    })
    expect(printed).toEqual([[2n, orderId], [4200]])
  } finally {
    await rm(file)
  }
})
