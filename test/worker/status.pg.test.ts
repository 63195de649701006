import { afterAll, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, projection, runWorker, table, text } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

const Noted = event('noted').v(1, z.object({ key: z.string() }))
const notes = projection('notes', {
  version: 1,
  events: [Noted],
  tables: { note: table({ key: text().primaryKey() }) },
}).fold('note', { key: ({ data }) => ({ key: data.key }), on: { noted: () => ({}) } })

test('status tells events that wait for a worker, and who delivers what only while it does', async () => {
  const { connectionString } = database
  const store = await createStore({ connectionString, events: [Noted] })
  onTestFinished(() => store.close())
  for (const key of ['a', 'b', 'c']) await store.append('note-1', Noted({ key }))
  expect(await store.status()).toMatchObject({
    position: 0n,
    unsequenced: 3,
    walLevel: 'logical',
    subscriptions: [],
  })

  const worker = inBackground((signal) =>
    runWorker({ connectionString, projections: [notes], name: 'this one' }, signal),
  )
  onTestFinished(() => worker.stop())
  await until('the worker to catch up', async (saw) => {
    const status = await store.status()
    saw(status)
    return status.position === 3n && status.subscriptions[0]?.lag === 0n
  })
  expect(await store.status()).toMatchObject({
    unsequenced: 0,
    subscriptions: [{ name: 'notes', owner: 'this one' }],
  })
  const client = await database.client()
  await client.query('begin')
  await store.append('note-2', Noted({ key: 'open' }), { tx: client })
  await worker.stop()
  expect(await store.status()).toMatchObject({ unsequenced: 0 })
  await client.query('commit')
  await client.end()
  expect(await store.status()).toMatchObject({
    unsequenced: 1,
    subscriptions: [{ name: 'notes', position: 3n, lag: 0n, owner: null }],
  })
})
