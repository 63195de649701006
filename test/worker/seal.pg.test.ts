import { afterAll, expect, test } from 'vitest'
import { createStore, runWorker, type Store, type WorkerOptions } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { append, dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()
afterAll(() => dropLogSlots(database.connectionString))

function startWorker(options: Partial<WorkerOptions>) {
  const { connectionString } = database
  return inBackground((signal) =>
    runWorker({ connectionString, sealIntervalMs: 10, ...options }, signal),
  )
}

async function countSeals(): Promise<number> {
  const { rows } = await database.pool.query('select from tidemark.seals where position > 0')
  return rows.length
}

async function untilSequenced(store: Store, position: bigint): Promise<void> {
  await until(`position ${position}`, async (saw) => {
    const status = await store.status()
    saw(status)
    return status.position === position
  })
}

test('workers seal what they sequence, unless they are told not to', async () => {
  await using store = await createStore({ connectionString: database.connectionString })
  {
    await using _ = startWorker({ seal: false })
    await append(database.pool, 'note-1', 3)
    await untilSequenced(store, 3n)
  }
  expect(await countSeals()).toBe(0)
  expect(await store.seal()).toEqual({ position: 3n, sealed: 3n })

  await using _first = startWorker({})
  await using _second = startWorker({})
  for (let n = 0; n < 20; n += 1) await append(database.pool, `note-${n}`, 2)
  await untilSequenced(store, 43n)
  await until('all of it to be sealed', async (saw) => {
    const result = await store.verify()
    saw(result)
    return result.to === 43n
  })
  expect(await store.verify()).toMatchObject({ from: 1n, to: 43n, head: 43n, findings: [] })
  expect((await store.audit()).findings).toEqual([])
})
