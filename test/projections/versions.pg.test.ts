import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import {
  createStore,
  integer,
  projection,
  type Store,
  silentLogger,
  table,
} from '../../src/index.ts'
import type { RebuildProgress } from '../../src/projections/versions/build-progress.ts'
import { ensureVersion, listVersions } from '../../src/projections/versions/versions.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { followProjection } from '../../src/worker/follow-projection.ts'
import { inBackground } from '../sequencer/background.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { Counted, counted, counts } from './counts.ts'
import { commit, follow, headPosition, names, timeoutMs, untilApplied } from './fixtures.ts'

const database = useDatabase()
const historyLength = 600

let store: Store
let projections = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  await commit(database.pool, counted(historyLength))
})

afterAll(() => store.close())

function newName(): string {
  projections += 1
  return `counts_${projections}`
}

async function statesOf(name: string): Promise<Record<number, string>> {
  const versions = await listVersions(database.pool, names, name)
  return Object.fromEntries(versions.map(({ version, state }) => [version, state]))
}

async function totalIn(schema: string): Promise<number | undefined> {
  const { rows } = await database.pool.query(`select total from ${schema}.totals`)
  return rows[0]?.total
}

async function checkpointOf(name: string, version: number): Promise<bigint | undefined> {
  const { rows } = await database.pool.query(
    'select position::text from tidemark.subscriptions where name = $1 and version = $2',
    [name, version],
  )
  return rows[0] && BigInt(rows[0].position)
}

async function isWaitingForLock(applicationName: string): Promise<boolean> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select
    from pg_stat_activity
    where datname = current_database() and application_name = $1 and wait_event_type = 'Lock'`,
    [applicationName],
  )
  return rows.length > 0
}

/** Everything that the database has of a projection. */
async function tracesOf(name: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ trace: string }>(
    /* sql */ `
    select 'schema ' || nspname as trace from pg_namespace where nspname like $1 || '%'
    union all
    select 'version ' || version from tidemark.projections where name = $1
    union all
    select 'checkpoint ' || version from tidemark.subscriptions where name = $1
    order by 1`,
    [name],
  )
  return rows.map(({ trace }) => trace)
}

/** Makes version 1 live and caught up. */
async function makeLive(name: string): Promise<void> {
  await using first = await follow(database, counts(name, 1))
  await first.untilCaughtUp()
}

describe('the first version', () => {
  test('is live at once and shows through the views', async () => {
    const name = newName()
    await makeLive(name)
    expect(await statesOf(name)).toEqual({ 1: 'live' })
    expect(await totalIn(name)).toBe(Number(await headPosition(database.pool)))
  })

  test('is built by a rebuild when no worker has ever seen it', async () => {
    const name = newName()
    const head = await headPosition(database.pool)
    const result = await store.rebuild(counts(name, 1), { batchSize: 50 })
    expect(result).toMatchObject({ projection: name, version: 1, position: head })
    expect(await statesOf(name)).toEqual({ 1: 'live' })
    expect(await totalIn(name)).toBe(Number(head))
  })

  test('goes on from its checkpoint when its rebuild was cancelled', async () => {
    const name = newName()
    const stop = new AbortController()
    const stopping = counts(name, 1, { onEvent: callOnce(100, () => stop.abort()) })
    await expect(
      store.rebuild(stopping, { batchSize: 10, signal: stop.signal }),
    ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    const head = await headPosition(database.pool)
    const result = await store.rebuild(counts(name, 1))
    expect(result.position).toBe(head)
    expect(await totalIn(name)).toBe(Number(head))
  })
})

/** Calls back at one of the calls. */
function callOnce(at: number, callback: () => void): () => void {
  let calls = 0
  return () => {
    calls += 1
    if (calls === at) callback()
  }
}

test('a later version is left alone by a worker until somebody rebuilds it', async () => {
  const name = newName()
  await makeLive(name)
  const { connectionString } = database
  const pool = createPool({ connectionString, max: 2 })
  const said: string[] = []
  const logger = {
    ...silentLogger,
    info: (_fields: object, message: string) => void said.push(message),
  }
  const session = new LogSession({ connectionString, names, logger, pollIntervalMs: 100 })
  const context = { pool, names, session, logger, owner: 'test', batchSize: 100, maxAttempts: 1 }
  const worker = inBackground(async (signal) => {
    const following = followProjection(counts(name, 2), context, { create: 'first' }, signal)
    await Promise.all([session.run(signal), following]).finally(() => pool.end())
  })
  try {
    await until('the worker to say that it waits', () => said.length > 0, { timeoutMs })
    expect(said).toEqual([
      `projection "${name}" version 2 is not built yet: run \`tidemark rebuild ${name}\``,
    ])
    expect(await tracesOf(name)).toEqual([
      'checkpoint 1',
      `schema ${name}`,
      `schema ${name}_v1`,
      'version 1',
    ])
    await store.rebuild(counts(name, 2))
    await commit(database.pool, counted(3))
    await untilApplied(database.pool, { name, version: 2 })
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'ready' })
  } finally {
    await worker.stop()
  }
})

describe('a rebuild', () => {
  test('catches up while appends go on, and leaves the live version as it was', async () => {
    const name = newName()
    await makeLive(name)
    const before = await totalIn(name)
    let isOver = false
    const rebuilding = store.rebuild(counts(name, 2), { batchSize: 7 }).finally(() => {
      isOver = true
    })
    let appended = 0
    while (!isOver && appended < 300) {
      await commit(database.pool, counted(3))
      appended += 3
    }
    const { position } = await rebuilding
    expect(appended).toBeGreaterThan(0)
    expect(position).toBeGreaterThanOrEqual(BigInt(historyLength))
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'ready' })
    expect(await totalIn(name)).toBe(before)

    await using second = await follow(database, counts(name, 2))
    await second.untilCaughtUp()
    expect(await totalIn(`${name}_v2`)).toBe(Number(await headPosition(database.pool)))
  })

  test('tells how far it has come', async () => {
    const name = newName()
    await makeLive(name)
    const progress: RebuildProgress[] = []
    const head = await headPosition(database.pool)
    const { position, durationMs } = await store.rebuild(counts(name, 2), {
      batchSize: 1,
      onProgress: (step) => progress.push(step),
    })
    expect(position).toBe(head)
    expect(durationMs).toBeGreaterThan(0)
    const positions = progress.map((step) => step.position)
    expect(positions).toEqual(positions.toSorted((a, b) => Number(a - b)))
    expect(progress.every((step) => step.head === head)).toBe(true)
    expect(progress[0]?.remainingMs).toBeNull()
    expect(progress.at(-1)).toMatchObject({ position: head, remainingMs: 0 })
    expect(progress.at(-1)?.eventsPerSecond).toBeGreaterThan(0)
  })

  test('goes no faster than it is told to', async () => {
    const name = newName()
    await makeLive(name)
    const began = performance.now()
    const chunks = new Set<bigint>()
    const { position } = await store.rebuild(counts(name, 2), {
      maxEventsPerSecond: 500,
      onProgress: (step) => chunks.add(step.position),
    })
    const seconds = (performance.now() - began) / 1_000
    // Less a second, which is what a slow chunk may be followed by.
    expect(seconds).toBeGreaterThan(Number(position) / 500 - 1)
    expect(chunks.size).toBeGreaterThan(3)
    await expect(store.rebuild(counts(name, 3), { maxEventsPerSecond: 0 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })

  test('that was cancelled goes on from its checkpoint and applies nothing twice', async () => {
    const name = newName()
    await makeLive(name)
    const head = await headPosition(database.pool)
    const stop = new AbortController()
    const stopping = counts(name, 2, { onEvent: callOnce(200, () => stop.abort()) })
    await expect(
      store.rebuild(stopping, { batchSize: 20, signal: stop.signal }),
    ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    const reached = (await checkpointOf(name, 2)) ?? 0n
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'building' })
    expect(reached).toBeGreaterThanOrEqual(180n)
    expect(reached).toBeLessThan(head)

    let applied = 0n
    const onEvent = () => {
      applied += 1n
    }
    const result = await store.rebuild(counts(name, 2, { onEvent }))
    expect(result.position).toBe(head)
    expect(applied).toBe(head - reached)
    expect(await totalIn(`${name}_v2`)).toBe(Number(head))
  })

  test('that a reducer breaks says so, and goes on with a mended one', async () => {
    const name = newName()
    await makeLive(name)
    const onEvent = callOnce(30, () => {
      throw new Error('no such row')
    })
    const alwaysBroken = () => {
      onEvent()
      throw new Error('no such row')
    }
    await expect(
      store.rebuild(counts(name, 2, { onEvent: alwaysBroken }), { batchSize: 10 }),
    ).rejects.toMatchObject({
      code: 'SUBSCRIPTION_FAILED',
      message: expect.stringContaining('at position 1: no such row'),
    })
    await store.rebuild(counts(name, 2))
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'ready' })
  })

  test('of a version that is live is refused', async () => {
    const name = newName()
    await makeLive(name)
    await expect(store.rebuild(counts(name, 1))).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
      details: { projection: name, version: 1, state: 'live' },
    })
  })

  test('ends with PROJECTION_VERSION_UNKNOWN when its version is dropped', async () => {
    const name = newName()
    await makeLive(name)
    for (let round = 0; round < 4; round += 1) {
      const dropping = Promise.withResolvers<void>()
      const onEvent = callOnce(20 + round * 7, () => {
        store.drop(name, 2).then(dropping.resolve, dropping.reject)
      })
      const rebuilding = store.rebuild(counts(name, 2, { onEvent }), { batchSize: 1 })
      const [rebuilt, dropped] = await Promise.allSettled([rebuilding, dropping.promise])
      expect(dropped).toEqual({ status: 'fulfilled', value: undefined })
      expect(rebuilt).toMatchObject({ reason: { code: 'PROJECTION_VERSION_UNKNOWN' } })
      expect(await tracesOf(name)).toEqual([
        'checkpoint 1',
        `schema ${name}`,
        `schema ${name}_v1`,
        'version 1',
      ])
    }
  })

  test('holds up a drop of its version for the chunk at hand, and does not make it fail', async () => {
    const name = newName()
    await makeLive(name)
    await store.rebuild(counts(name, 2))
    const chunk = await database.client()
    await chunk.query('begin')
    await chunk.query(
      'update tidemark.subscriptions set position = position where name = $1 and version = 2',
      [name],
    )
    const dropping = store.drop(name, 2)
    dropping.catch(() => {}) // reported below
    await until('the drop to wait', () => isWaitingForLock('tidemark store'), { timeoutMs })
    await chunk.query(`update ${name}_v2.totals set total = total`)
    await chunk.query('commit')
    await dropping
    expect(await statesOf(name)).toEqual({ 1: 'live' })
  })

  test('of a version that was dropped takes its tables as they are declared now', async () => {
    const name = newName()
    await makeLive(name)
    await store.rebuild(counts(name, 2))
    await store.drop(name, 2)
    const other = projection(name, {
      version: 2,
      events: [Counted],
      tables: { totals: table({ half: integer().primaryKey(), total: integer() }) },
    }).fold('totals', {
      key: ({ version }) => ({ half: Number(version % 2n) }),
      on: { counted: (row) => ({ total: (row?.total ?? 0) + 1 }) },
    })
    await store.rebuild(other, { batchSize: 100 })
    const { rows } = await database.pool.query(`select sum(total)::integer from ${name}_v2.totals`)
    expect(rows).toEqual([{ sum: Number(await headPosition(database.pool)) }])
  })
})

test('a version goes from ready to live, back to standby, live again, and is followed all along', async () => {
  const name = newName()
  await using first = await follow(database, counts(name, 1))
  await first.untilCaughtUp()
  await store.rebuild(counts(name, 2))
  await using second = await follow(database, counts(name, 2))

  expect(await store.promote(name)).toEqual({ projection: name, live: 2, before: 1 })
  expect(await statesOf(name)).toEqual({ 1: 'standby', 2: 'live' })
  await commit(database.pool, counted(4))
  await first.untilCaughtUp()
  await second.untilCaughtUp()
  const head = Number(await headPosition(database.pool))
  expect(await totalIn(name)).toBe(head)
  expect(await totalIn(`${name}_v1`)).toBe(head)

  expect(await store.rollback(name)).toEqual({ projection: name, live: 1, before: 2 })
  expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'standby' })
  expect(await versionShown(name)).toBe(1)
  await expect(store.rollback(name)).rejects.toMatchObject({
    code: 'PROJECTION_STATE_INVALID',
    message: expect.stringMatching(/no version that is standby and older than the live one/),
  })

  expect(await store.promote(name)).toEqual({ projection: name, live: 2, before: 1 })
  expect(await versionShown(name)).toBe(2)
  await expect(store.promote(name)).rejects.toMatchObject({
    code: 'PROJECTION_STATE_INVALID',
    message: `projection "${name}" has no version that is ready and newer than the live one: version 1 is standby, version 2 is live`,
  })
  expect(await versionShown(name)).toBe(2)
  await first.stop()
  await store.drop(name, 1)
  expect(await tracesOf(name)).toEqual([
    'checkpoint 2',
    `schema ${name}`,
    `schema ${name}_v2`,
    'version 2',
  ])
  expect(await totalIn(name)).toBe(head)
})

async function versionShown(name: string): Promise<number> {
  const { rows } = await database.pool.query(`select version from ${name}.totals`)
  return rows[0].version
}

describe('what is refused', () => {
  test('to drop the version that is live', async () => {
    const name = newName()
    await makeLive(name)
    await expect(store.drop(name, 1)).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
      details: { projection: name, version: 1, state: 'live' },
    })
    expect(await versionShown(name)).toBe(1)
  })

  test('to drop the live version for good while there is another', async () => {
    const name = newName()
    await makeLive(name)
    await store.rebuild(counts(name, 2))
    await expect(store.drop(name, 1, { live: true })).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
    })
    await store.drop(name, 2)
    await store.drop(name, 1, { live: true })
    expect(await tracesOf(name)).toEqual([])
  })

  test('to drop, promote or roll back to what does not exist', async () => {
    const name = newName()
    await makeLive(name)
    await expect(store.drop(name, 9)).rejects.toMatchObject({ code: 'PROJECTION_VERSION_UNKNOWN' })
    await expect(store.promote(name, { version: 9 })).rejects.toMatchObject({
      code: 'PROJECTION_VERSION_UNKNOWN',
    })
    await expect(store.promote(name)).rejects.toMatchObject({ code: 'PROJECTION_STATE_INVALID' })
    await expect(store.promote(name, { version: 1 })).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
      message: `projection "${name}" version 1 is live already`,
    })
    await expect(store.rollback(name)).rejects.toMatchObject({ code: 'PROJECTION_STATE_INVALID' })
  })

  test('to drop a schema that the log did not create, whatever its rows say', async () => {
    const name = newName()
    await makeLive(name)
    await ensureVersion(database.pool, names, counts(name, 2), 'any')
    await database.pool.query('create schema precious; create table precious.things ()')
    await database.pool.query(
      `update tidemark.projections set schema_name = 'precious' where name = $1 and version = 2`,
      [name],
    )
    await expect(store.drop(name, 2)).rejects.toMatchObject({
      code: 'SCHEMA_FOREIGN',
      details: { schema: 'precious' },
    })
    await database.pool.query('table precious.things')
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'building' })
    await database.pool.query('drop schema precious cascade')
  })

  test('to promote a version that is still building', async () => {
    const name = newName()
    await makeLive(name)
    await ensureVersion(database.pool, names, counts(name, 2), 'any')
    await expect(store.promote(name, { version: 2 })).rejects.toMatchObject({
      code: 'PROJECTION_STATE_INVALID',
      details: { projection: name, version: 2, state: 'building' },
    })
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'building' })
  })

  test('to promote a version that is further behind than allowed', async () => {
    const name = newName()
    await makeLive(name)
    await store.rebuild(counts(name, 2))
    await commit(database.pool, counted(5))
    await expect(store.promote(name, { maxLag: 4n })).rejects.toMatchObject({
      code: 'PROJECTION_BEHIND',
      details: { projection: name, version: 2, lag: 5n },
    })
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'ready' })
    expect(await store.promote(name, { maxLag: 5n })).toMatchObject({ live: 2 })
  })

  test.for([0, -1, 1.5, 2 ** 31])('a lockTimeoutMs of %d', async (lockTimeoutMs) => {
    const name = newName()
    await makeLive(name)
    for (const change of [store.promote, store.rollback]) {
      await expect(change(name, { lockTimeoutMs })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        details: { option: 'lockTimeoutMs' },
      })
    }
  })

  test('a projection that nobody knows, with the list of those that are known', async () => {
    const name = newName()
    await makeLive(name)
    const known = expect.arrayContaining([name])
    for (const change of [
      () => store.promote('nobody'),
      () => store.rollback('nobody'),
      () => store.drop('nobody', 1),
    ]) {
      await expect(change()).rejects.toMatchObject({
        code: 'PROJECTION_UNKNOWN',
        details: { projection: 'nobody', known },
      })
    }
  })

  test('a version whose tables are declared otherwise now', async () => {
    const name = newName()
    await makeLive(name)
    const drifted = projection(name, {
      version: 1,
      events: [Counted],
      tables: { counts: table({ key: integer().primaryKey() }) },
    }).fold('counts', { key: () => ({ key: 1 }), on: { counted: () => ({}) } })
    await expect(follow(database, drifted)).rejects.toMatchObject({
      code: 'PROJECTION_DRIFTED',
      details: { projection: name, version: 1 },
    })
    await expect(store.rebuild(drifted)).rejects.toMatchObject({ code: 'PROJECTION_DRIFTED' })
    expect(await versionShown(name)).toBe(1)
  })

  test('to have ready a version whose tables somebody changed while it was built', async () => {
    const name = newName()
    await makeLive(name)
    const second = counts(name, 2)
    await ensureVersion(database.pool, names, second, 'any')
    const client = await database.client()
    await client.query(`begin; lock table ${name}_v2.totals`)
    const rebuilding = store.rebuild(second).catch((error: unknown) => error)
    await until('the rebuild to wait for the table', async () => {
      const { rows } = await database.pool.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      )
      return rows.length > 0
    })
    await client.query(`alter table ${name}_v2.totals add column extra text; commit`)
    expect(await rebuilding).toMatchObject({
      code: 'PROJECTION_DRIFTED',
      message: expect.stringContaining('column "extra"'),
    })
    expect(await statesOf(name)).toEqual({ 1: 'live', 2: 'building' })
    await database.pool.query(`alter table ${name}_v2.totals drop column extra`)
    expect(await store.rebuild(second)).toMatchObject({ state: 'ready' })
  })

  test.for(['', '_v1'])("a schema of somebody else's, with suffix '%s'", async (suffix) => {
    const name = newName()
    const schema = `${name}${suffix}`
    await database.pool.query(`create schema ${schema}`)
    await expect(store.rebuild(counts(name, 1))).rejects.toMatchObject({
      code: 'SCHEMA_FOREIGN',
      details: { schema },
    })
    expect(await tracesOf(name)).toEqual([`schema ${schema}`])
  })

  test('a schema that another projection shows its views in', async () => {
    const name = newName()
    await makeLive(name)
    const before = await tracesOf(name)
    const intruder = `intruder_${name}`
    await expect(store.rebuild(counts(intruder, 2, { schema: name }))).rejects.toMatchObject({
      code: 'SCHEMA_FOREIGN',
    })
    expect(await tracesOf(intruder)).toEqual([])
    expect(await tracesOf(name)).toEqual(before)
  })
})
