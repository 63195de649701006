import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { createStore, type Store, silentLogger } from '../../src/index.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { followProjection } from '../../src/worker/follow-projection.ts'
import { type Background, inBackground } from '../sequencer/background.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { counted, counts } from './counts.ts'
import { commit, follow, headPosition, names } from './fixtures.ts'

const database = useDatabase()
let store: Store
let projections = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  for (let i = 0; i < 10; i += 1) await commit(database.pool, counted(10))
})

afterAll(() => store.close())

/** Makes version 1 of a projection live. */
async function makeLive(): Promise<string> {
  projections += 1
  const name = `replay_${projections}`
  await using first = await follow(database, counts(name, 1))
  await first.untilCaughtUp()
  return name
}

async function totalIn(schema: string): Promise<number> {
  const { rows } = await database.pool.query(`select total from ${schema}.totals`)
  return rows[0]?.total ?? 0
}

/** Follows a version as a worker does. */
function work(name: string, version: number): Background {
  const { connectionString } = database
  const pool = createPool({ connectionString, max: 4 })
  const session = new LogSession({
    connectionString,
    names,
    logger: silentLogger,
    pollIntervalMs: 50,
  })
  const context = {
    pool,
    names,
    session,
    logger: silentLogger,
    owner: 'test',
    batchSize: 100,
    maxAttempts: 2,
  }
  return inBackground(async (signal) => {
    const following = followProjection(counts(name, version), context, { create: 'first' }, signal)
    await Promise.all([session.run(signal), following]).finally(() => pool.end())
  })
}

const stateOf = async (name: string, version: number) =>
  (await store.status()).subscriptions.find((one) => one.name === name && one.version === version)

describe('a replay', () => {
  test('makes a version that holds only the events from a position on, and says so', async () => {
    const name = await makeLive()
    const head = await headPosition(database.pool)
    expect(await store.replay(counts(name, 2), { from: head - 24n })).toMatchObject({
      state: 'ready',
      position: head,
    })
    expect(await totalIn(`${name}_v2`)).toBe(25)
    expect(await stateOf(name, 2)).toMatchObject({ startPosition: head - 25n })
    expect(await store.diff(name)).toMatchObject({ startPositions: { from: 0n, to: head - 25n } })
    await expect(store.promote(name)).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
      message: expect.stringContaining(`holds only events after position ${head - 25n}`),
    })
    expect(await store.promote(name, { partial: true })).toMatchObject({ live: 2 })
  })

  test('from a time on applies the commits since then', async () => {
    const name = await makeLive()
    const head = await headPosition(database.pool)
    const { rows } = await database.pool.query('select clock_timestamp() as now')
    await until('the clock to go on', () => Date.now() > rows[0].now.getTime() + 2)
    const from = new Date(rows[0].now.getTime() + 1)
    await commit(database.pool, counted(7))
    await store.replay(counts(name, 2), { from })
    expect(await totalIn(`${name}_v2`)).toBe(7)
    expect(await stateOf(name, 2)).toMatchObject({ startPosition: head })
  })

  test('begins a version again that is ready or stands by, from the start or not', async () => {
    const name = await makeLive()
    await store.rebuild(counts(name, 2))
    await database.pool.query(`update ${name}_v2.totals set total = 0`)
    await store.replay(counts(name, 2), { from: 1n })
    const head = Number(await headPosition(database.pool))
    expect(await totalIn(`${name}_v2`)).toBe(head)
    expect(await stateOf(name, 2)).toMatchObject({ projectionState: 'ready', startPosition: 0n })
    expect((await store.diff(name, { ignore: ['version'] })).isSame).toBe(true)
    await store.promote(name)
    await store.replay(counts(name, 1), { from: BigInt(head) })
    expect(await totalIn(`${name}_v1`)).toBe(1)
    expect(await totalIn(name)).toBe(head)
  })

  test('of the live version is refused, unless its readers may see it empty', async () => {
    const name = await makeLive()
    const before = await totalIn(name)
    await expect(store.replay(counts(name, 1), { from: 1n })).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
    })
    expect(await totalIn(name)).toBe(before)
    const head = await headPosition(database.pool)
    const again = await store.replay(counts(name, 1), { from: head - 2n, live: true })
    expect(again).toMatchObject({ state: 'live', position: head })
    expect(await totalIn(name)).toBe(3)
  })

  test.for([0n, -1n, 1_000_000_000n])('from %s, which is no position, is refused', async (from) => {
    const name = await makeLive()
    await expect(store.replay(counts(name, 2), { from })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    expect(await stateOf(name, 2)).toBeUndefined()
  })

  test('of a version that a worker follows is taken in by it, while the log rests', async () => {
    const name = await makeLive()
    await store.rebuild(counts(name, 2))
    await using worker = work(name, 2)
    await until(
      'the worker to own the version',
      async () => (await stateOf(name, 2))?.owner === 'test',
    )
    const head = await headPosition(database.pool)
    for (const from of [1n, head - 4n, 1n]) {
      await store.replay(counts(name, 2), { from })
      expect(await totalIn(`${name}_v2`)).toBe(Number(head - from + 1n))
    }
    await worker.stop()
  })

  test('to the head leaves no row behind that a worker remembers', async () => {
    const name = await makeLive()
    await store.rebuild(counts(name, 2))
    await using second = await follow(database, counts(name, 2))
    await commit(database.pool, counted(3))
    await second.untilCaughtUp()
    const head = await headPosition(database.pool)
    const { resetVersion } = await import('../../src/projections/versions/reset-version.ts')
    await resetVersion(database.pool, names, { name, version: 2 }, head, { live: false })
    await commit(database.pool, counted(2))
    await second.untilCaughtUp()
    expect(await totalIn(`${name}_v2`)).toBe(2)
  })
})
