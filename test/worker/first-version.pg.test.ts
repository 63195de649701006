import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, integer, projection, runWorker, table, text } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

afterEach(() => dropLogSlots(database.connectionString))

const Counted = event('thing.counted').v(1, z.object({ thing: z.string() }))

function things(name: string, version: number) {
  return projection(name, {
    version,
    events: [Counted],
    tables: { counts: table({ thing: text().primaryKey(), count: integer() }) },
  }).fold('counts', {
    key: ({ data }) => ({ thing: data.thing }),
    on: { 'thing.counted': (row) => ({ count: (row?.count ?? 0) + 1 }) },
  })
}

test.for([{ order: [2, 1, 3] }, { order: [3, 2, 1] }, { order: [1, 2, 3] }] as const)(
  'the lowest of the versions $order is the first',
  async ({ order }) => {
    const name = `things_${order.join('')}`
    const worker = inBackground((signal) =>
      runWorker(
        {
          connectionString: database.connectionString,
          projections: order.map((version) => things(name, version)),
          pollIntervalMs: 20,
        },
        signal,
      ),
    )
    await using store = await createStore({
      connectionString: database.connectionString,
      events: [Counted],
    })
    await until('the worker to have made a version', async (saw) => {
      const { subscriptions } = await store.status()
      saw(subscriptions)
      return subscriptions.some((row) => row.name === name)
    })
    const { token } = await store.append('thing-1', [Counted({ thing: 'a' })])
    await store.waitFor(token, things(name, 1))
    const { subscriptions } = await store.status()
    expect(
      subscriptions
        .filter((row) => row.name === name)
        .map((row) => [row.version, row.projectionState]),
    ).toEqual([[1, 'live']])
    await worker.stop()
  },
)
