import { afterAll, expect, test } from 'vitest'
import { createStore } from '../../src/index.ts'
import { Counted, counted, counts } from '../projections/counts.ts'
import { follow } from '../projections/fixtures.ts'
import { dropLogSlots, sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

const openStore = () => createStore({ connectionString: database.connectionString })

test('tells what has no position, and how far the slowest is behind that can go on', async () => {
  await using store = await openStore()
  expect(await store.pressure()).toEqual({
    pendingAppends: 0,
    unsequenced: 0,
    lag: 0n,
    slowest: null,
  })
  const live = counts('pressed', 1)
  {
    await using one = await follow(database, live)
    await using other = await follow(database, counts('quick', 1))
    await Promise.all([one.untilCaughtUp(), other.untilCaughtUp()])
  }
  await store.append('stream', counted(7))
  expect(await store.pressure()).toMatchObject({ unsequenced: 7, lag: 0n })
  await sequenceNow(database.pool)
  const slowest = { kind: 'projection', name: expect.any(String), version: 1 }
  expect(await store.pressure()).toEqual({ pendingAppends: 0, unsequenced: 0, lag: 7n, slowest })
  const move = (set: string, name: string) =>
    database.pool.query(`update tidemark.subscriptions set ${set} where name = $1`, [name])
  await move('position = 3', 'quick')
  expect(await store.pressure()).toMatchObject({ lag: 7n, slowest: { name: 'pressed' } })
  expect(await store.pressure({ subscriptions: ['quick'] })).toMatchObject({ lag: 4n })
  expect(await store.pressure({ subscriptions: ['other'] })).toMatchObject({ lag: 0n })
  // What stands still, and what is not shown, is not for writers to wait for.
  await move("state = 'failed'", 'pressed')
  expect(await store.pressure()).toMatchObject({ lag: 4n, slowest: { name: 'quick' } })
  await database.pool.query(
    "update tidemark.projections set state = 'standby' where name = 'quick'",
  )
  expect(await store.pressure()).toMatchObject({ lag: 0n, slowest: null })
})

test('counts the appends that wait for others', async () => {
  await using store = await openStore()
  const client = await database.client()
  await client.query('begin')
  await store.append('held', Counted({ key: 'a' }), { tx: client })
  const appends = Array.from({ length: 3 }, () => store.append('held', Counted({ key: 'a' })))
  expect(store.pendingAppends()).toBe(3)
  await until('them to wait', async () => (await store.pressure()).pendingAppends === 3)
  await client.query('commit')
  await Promise.all(appends)
  expect(store.pendingAppends()).toBe(0)
})
