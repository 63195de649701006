import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createStore,
  event,
  migrate,
  reactor,
  runWorker,
  type Store,
  task,
} from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase({ template: false })
const Placed = event('placed').v(1, z.object({ n: z.int() }))

let store: Store
beforeAll(async () => {
  const { connectionString } = database
  await migrate({ connectionString })
  store = await createStore({ connectionString, events: [Placed] })
})
afterAll(async () => {
  await store.close()
  await dropLogSlots(database.connectionString)
})

test('of many reactors on the same events, one that hangs and one whose job hangs hold back no other', async () => {
  const { connectionString, pool } = database
  const seen: Record<string, number[]> = {}
  const tasks = Array.from({ length: 8 }, (_, i) =>
    task(`task-${i}`, {
      payload: z.object({ n: z.int() }),
      run: async ({ n }, { signal }) => {
        const name = `task-${i}`
        seen[name] = [...(seen[name] ?? []), n]
        // The first of these sleeps until its worker stops.
        if (i === 0) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    }),
  )
  const reactors = tasks.map((run, i) =>
    reactor(`reactor-${i}`, {
      events: [Placed],
      from: 'start',
      on: { placed: ({ data: { n } }) => run({ n }, { order: 'stream' }) },
    }),
  )
  const worker = inBackground((signal) =>
    runWorker(
      { connectionString, reactors, tasks, jobConcurrency: 4, jobGraceMs: 100, seal: false },
      signal,
    ),
  )
  const client = await pool.connect()
  try {
    await until('all to be followed', async () => {
      const { subscriptions } = await store.status()
      return subscriptions.filter(({ owner }) => owner !== null).length === 8 || undefined
    })
    // It can commit nothing for as long as this is open.
    await client.query('begin')
    await client.query(`select from tidemark.subscriptions where name = 'reactor-1' for update`)
    const numbers = Array.from({ length: 50 }, (_, n) => n)
    for (const n of numbers) await store.append('order-1', Placed({ n }))
    await until('the others to have done it all', (saw) => {
      saw(seen)
      return reactors.slice(2).every((_, i) => seen[`task-${i + 2}`]?.length === 50) || undefined
    })
    for (let i = 2; i < 8; i += 1) expect(seen[`task-${i}`]).toEqual(numbers)
    expect(seen['task-0']).toEqual([0])
    expect(seen['task-1']).toBeUndefined()
    await client.query('rollback')
    await until('the one that hung', () => seen['task-1']?.length === 50 || undefined)
    expect(seen['task-1']).toEqual(numbers)
  } finally {
    await client.query('rollback')
    client.release()
    await worker.stop()
  }
})
