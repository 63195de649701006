import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createStore, event } from '../src/index.ts'
import { useDatabase } from './support/database.ts'

const database = useDatabase()

const OrderPlaced = event('order.placed').v(1, z.object({ orderId: z.uuid(), cents: z.int() }))

test('the example of an import in the README runs as it stands', async () => {
  const readme = await readFile('README.md', 'utf8')
  const [, example = ''] = /```ts\n(\s+async function\* oldEvents.*?)```/s.exec(readme) ?? []
  const file = join(import.meta.dirname, `.readme-import-${process.pid}.ts`)
  const given = 'import type { ImportedEvent } from "../src/index.ts"\n'
  await writeFile(
    file,
    `${given}export async function run(store, oldRows, OrderPlaced, console) {\n${example}\n}`,
  )
  try {
    const { run } = await import(file)
    const { connectionString } = database
    await using store = await createStore({ connectionString, events: [OrderPlaced] })
    const orderId = crypto.randomUUID()
    const at = new Date('2019-05-01T12:00:00Z')
    const oldRows = [1, 2].map((revision) => {
      return { stream: 'order-1', revision, body: { orderId, cents: 4200 }, at: at.toJSON() }
    })
    const printed: unknown[] = []
    await run(store, oldRows, OrderPlaced, { log: (text: unknown) => printed.push(text) })
    expect(printed).toEqual(['2 events are in'])
    expect(await store.readStream('order-1')).toMatchObject([
      { version: 1n, recordedAt: at, data: { orderId } },
      { version: 2n },
    ])
  } finally {
    await rm(file)
  }
})
