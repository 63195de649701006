import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { createPool } from '../../src/db/connect.ts'
import {
  createStore,
  foreignKey,
  integer,
  projection,
  type Store,
  table,
  text,
} from '../../src/index.ts'
import { projectionSubscriber } from '../../src/projections/lanes/projection-subscriber.ts'
import { repartition } from '../../src/projections/versions/repartition-version.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { applyChunk } from '../../src/subscriptions/apply-chunk.ts'
import { readCheckpoint } from '../../src/subscriptions/checkpoint.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { ParkedKeys } from '../../src/subscriptions/parking/parked-keys.ts'
import { type Partition, partitionOf } from '../../src/subscriptions/partitions/partition.ts'
import { readRun } from '../../src/subscriptions/read-run.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { Counted } from './counts.ts'
import { commit, follow, headPosition, names } from './fixtures.ts'
import { Noted } from './poison.ts'

const database = useDatabase()

/** As many rows as keys, so that each partition has some. */
function tallies(name: string, version: number, partitions = 1) {
  return projection(name, {
    version,
    events: [Counted],
    partitions,
    tables: { tallies: table({ key: text().primaryKey(), count: integer() }) },
  }).fold('tallies', {
    key: ({ data }) => ({ key: data.key }),
    on: { counted: (row) => ({ count: (row?.count ?? 0) + 1 }) },
  })
}

const manyKeys = (count: number) =>
  Array.from({ length: count }, (_, i) => Counted({ key: `k${i % 40}` }))

async function total(schema: string): Promise<bigint> {
  const { rows } = await database.pool.query(
    `select coalesce(sum(count), 0)::text as n from ${schema}.tallies`,
  )
  return BigInt(rows[0].n)
}

async function division(name: string, version = 1): Promise<string[]> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select partition || ' of ' || partitions || coalesce(' to ' || next_partitions, '') as line
    from tidemark.subscriptions
    where kind = 'projection' and name = $1 and version = $2
    order by partition`,
    [name, version],
  )
  return rows.map(({ line }) => line)
}

const stores: Store[] = []
let pool: pg.Pool
beforeAll(() => {
  pool = createPool({ connectionString: database.connectionString, max: 4 })
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})
afterAll(() => pool.end())

/** A process that believes in a number of partitions, and owns one whatever anybody says. */
async function believer(definition: ReturnType<typeof tallies>, partition: Partition) {
  const subscriber = projectionSubscriber(definition, names, { partition })
  const checkpoint = await readCheckpoint(database.pool, names, subscriber.id, partition)
  if (checkpoint === undefined) throw new Error('there is no such partition')
  const session = new LogSession({
    connectionString: database.connectionString,
    names,
    logger: silentLogger,
    pollIntervalMs: 500,
  })
  const delivery = {
    ...{ pool, names, session, logger: silentLogger, owner: 'believer', batchSize: 100 },
    ...{ maxAttempts: 1, haltAt: null, parked: new ParkedKeys() },
    ...{ serverRun: checkpoint.serverRun, revision: checkpoint.revision },
  }
  return async () => {
    const after = { position: checkpoint.position, insertId: null }
    const run = await readRun(pool, names, { after, maxEvents: 1_000, types: subscriber.types })
    const chunk = { after: after.position, upto: run.end.position, events: run.events }
    await applyChunk(subscriber, delivery, chunk)
  }
}

test('a key belongs to the same partition here and in the server', async () => {
  const keys = fc.sample(fc.string({ unit: 'binary', maxLength: 60 }), { numRuns: 500, seed: 1 })
  const texts = keys.map((key) => key.replaceAll('\0', '').toWellFormed())
  texts.push(
    '',
    'a'.repeat(5_000),
    '中'.repeat(700),
    ...Array.from({ length: 40 }, (_, i) => 'x'.repeat(i)),
  )
  const { rows } = await database.pool.query<{ partition: number }>(
    `select tidemark.partition_of(k.key, 7) as partition
     from unnest($1::text[]) with ordinality as k (key, n) order by n`,
    [texts],
  )
  expect(rows.map(({ partition }) => partition)).toEqual(texts.map((key) => partitionOf(key, 7)))
})

test('tables whose rows depend on each other cannot be partitioned', async () => {
  const owners = table({ id: text().primaryKey() })
  const make = (tables: Parameters<typeof projection>[1]['tables'], partitions = 2) =>
    projection('odd', { version: 1, events: [Noted], tables, partitions })
  const owned = table(
    { id: text().primaryKey(), owner: text() },
    { foreignKeys: { owned_owner: foreignKey(owners, { owner: 'id' }) } },
  )
  expect(() => make({ owners, owned })).toThrow('foreign key "owned_owner"')
  expect(() => make({ t: table({ id: text().primaryKey(), mail: text().unique() }) })).toThrow(
    'unique',
  )
  expect(() => make({ owners }, 65)).toThrow('1 to 64')
  const own = projection('own_unique', {
    version: 1,
    events: [Counted],
    partitions: 2,
    ddl: 'create table t (key text primary key, other text unique)',
    tables: { tallies: table({ key: text().primaryKey(), count: integer() }) },
  }).fold('tallies', {
    key: ({ data }) => ({ key: data.key }),
    on: { counted: () => ({ count: 1 }) },
  })
  await expect(ensureVersion(database.pool, names, own, 'any')).rejects.toMatchObject({
    code: 'DEFINITION_INVALID',
  })
})

test('processes share the partitions, and those of one that ends go to the others', async () => {
  const definition = tallies('shared', 1, 4)
  const owners = async () => {
    const { rows } = await database.pool.query<{ owners: number; held: number }>(
      /* sql */ `
      select count(distinct l.pid)::integer as owners, count(*)::integer as held
      from pg_locks as l
      where l.locktype = 'advisory' and l.mode = 'ExclusiveLock' and l.granted
        and l.database = (select oid from pg_database where datname = current_database())`,
    )
    return `${rows[0]?.held} by ${rows[0]?.owners}`
  }
  const untilOwned = (expected: string) =>
    until('partitions to be owned', async (saw) => {
      const found = await owners()
      saw(found)
      return found === expected
    })
  const one = await follow(database, definition)
  await untilOwned('4 by 1')
  await using two = await follow(database, definition)
  await untilOwned('4 by 2')
  await one.stop()
  await untilOwned('4 by 1')
  await commit(database.pool, manyKeys(200))
  await two.untilCaughtUp()
  expect(await total('shared')).toBe(await headPosition(database.pool))
})

test('two processes that own the same partition apply its events once', async () => {
  const definition = tallies('twice', 1, 2)
  await ensureVersion(database.pool, names, definition, 'any')
  await commit(database.pool, manyKeys(80))
  const index = { index: 1, count: 2 }
  const [one, two] = [await believer(definition, index), await believer(definition, index)]
  const results = await Promise.allSettled([one(), two()])
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  await using rest = await follow(database, definition)
  await rest.untilCaughtUp()
  expect(await total('twice')).toBe(await headPosition(database.pool))
})

test('a process that believes in another number of partitions commits nothing', async () => {
  const definition = tallies('stale', 1, 2)
  await ensureVersion(database.pool, names, definition, 'any')
  await commit(database.pool, manyKeys(80))
  const stale = await believer(definition, { index: 0, count: 2 })
  await repartition(database.pool, names, 'stale', 3)
  expect(await division('stale')).toEqual(['0 of 3', '1 of 3', '2 of 3'])
  // One that has read the rows since then, too.
  const late = await believer(definition, { index: 0, count: 2 })
  for (const apply of [stale, late]) {
    await expect(apply()).rejects.toMatchObject({ code: 'CHECKPOINT_REGRESSED' })
  }
  expect(await total('stale')).toBe(0n)
})

test('nobody passes the position at which partitions change, and a chunk under way is waited for', async () => {
  const definition = tallies('halted', 1, 2)
  await ensureVersion(database.pool, names, definition, 'any')
  await commit(database.pool, manyKeys(80))
  const [first, second] = [
    await believer(definition, { index: 0, count: 2 }),
    await believer(definition, { index: 1, count: 2 }),
  ]
  await first()
  const middle = await headPosition(database.pool)
  const asked = await repartition(database.pool, names, 'halted', 1, { timeoutMs: 0 })
  expect(asked).toMatchObject({ partitions: 2, wanted: 1 })
  await commit(database.pool, manyKeys(80))
  // It would pass the position of the first.
  await expect(second()).rejects.toMatchObject({ code: 'CHECKPOINT_REGRESSED' })
  await using follower = await follow(database, definition)
  await follower.untilCaughtUp()
  expect(await division('halted')).toEqual(['0 of 1'])
  expect(await total('halted')).toBe(await headPosition(database.pool))
  expect(middle).toBeLessThan(await headPosition(database.pool))
})

test('a change that has not happened is called off by asking for the number that there is', async () => {
  const definition = tallies('called_off', 1, 2)
  await ensureVersion(database.pool, names, definition, 'any')
  await commit(database.pool, manyKeys(80))
  await (await believer(definition, { index: 0, count: 2 }))()
  const change = { timeoutMs: 0 }
  expect(await repartition(database.pool, names, 'called_off', 5, change)).toMatchObject({
    partitions: 2,
    wanted: 5,
  })
  expect(await division('called_off')).toEqual(['0 of 2 to 5', '1 of 2 to 5'])
  await repartition(database.pool, names, 'called_off', 2)
  expect(await division('called_off')).toEqual(['0 of 2', '1 of 2'])
})

async function openStore(): Promise<Store> {
  const store = await createStore({ connectionString: database.connectionString })
  stores.push(store)
  return store
}

test('a wait, status, audit and diff go by the slowest partition', async () => {
  const store = await openStore()
  const definition = tallies('slowest', 1, 2)
  await ensureVersion(database.pool, names, definition, 'any')
  const { token } = await store.append('slowest-1', [Counted({ key: 'a' })])
  await commit(database.pool, manyKeys(10))
  await (await believer(definition, { index: 0, count: 2 }))()
  const waiting = store.waitFor(token, definition, { timeoutMs: 100 })
  await expect(waiting).rejects.toMatchObject({ code: 'WAIT_TIMED_OUT' })
  const head = await headPosition(database.pool)
  const status = (await store.status()).subscriptions.find(({ name }) => name === 'slowest')
  expect(status).toMatchObject({ position: 0n, lag: head })
  expect(status?.partitions.map(({ position }) => position)).toEqual([head, 0n])
  await (await believer(definition, { index: 1, count: 2 }))()
  await store.waitFor(token, definition)
  await database.pool.query(
    "delete from tidemark.subscriptions where name = 'slowest' and partition = 1",
  )
  const { findings } = await store.audit()
  expect(findings.map(({ kind }) => kind)).toContain('partitions-incomplete')
  await store.drop('slowest', 1, { live: true })
})

test('a rebuild by partitions ends as one that is promoted, rolled back and as of', async () => {
  const store = await openStore()
  await using live = await follow(database, tallies('parallel', 1))
  await commit(database.pool, manyKeys(400))
  await live.untilCaughtUp()
  const two = tallies('parallel', 2, 2)
  const built = await store.rebuild(two, { parallel: 3, batchSize: 20 })
  expect(built.state).toBe('ready')
  expect(await division('parallel', 2)).toEqual(['0 of 2', '1 of 2'])
  await using next = await follow(database, two)
  await commit(database.pool, manyKeys(100))
  await Promise.all([live.untilCaughtUp(), next.untilCaughtUp()])
  const diff = await store.diff('parallel')
  expect(
    diff.tables.every(({ onlyInFrom, onlyInTo, differ }) => onlyInFrom + onlyInTo + differ === 0n),
  ).toBe(true)
  await store.promote('parallel')
  await store.rollback('parallel')
  await store.promote('parallel')
  const head = await headPosition(database.pool)
  expect(await total('parallel')).toBe(head)
  const past = await store.asOf(head, two, (db) => db.selectFrom('tallies').selectAll().execute())
  expect(past.reduce((sum, { count }) => sum + BigInt(count), 0n)).toBe(head)
})

test('a rebuild by partitions that was stopped goes on with another number', async () => {
  const store = await openStore()
  await ensureVersion(database.pool, names, tallies('resumed', 1), 'any')
  await commit(database.pool, manyKeys(400))
  const two = tallies('resumed', 2)
  const stop = new AbortController()
  const stopped = store.rebuild(two, {
    parallel: 4,
    batchSize: 5,
    maxEventsPerSecond: 400,
    signal: stop.signal,
    onProgress: ({ position }) => {
      if (position > 20n) stop.abort()
    },
  })
  await expect(stopped).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
  expect(await division('resumed', 2)).toHaveLength(4)
  await store.rebuild(two, { parallel: 2 })
  expect(await division('resumed', 2)).toEqual(['0 of 1'])
  expect(await total('resumed_v2')).toBe(await headPosition(database.pool))
})

test('events that are parked stay so while partitions change, and are retried in order', async () => {
  const store = await openStore()
  const poisoned = new Set([3])
  const definition = projection('parted', {
    version: 1,
    events: [Noted],
    partitions: 2,
    onError: 'park',
    tables: { rows: table({ key: text().primaryKey(), trail: text() }) },
  }).fold('rows', {
    key: ({ data }) => ({ key: data.key }),
    on: {
      noted: (row, { data: { n } }) => {
        if (poisoned.has(n)) throw new Error(`cannot take ${n}`)
        return { trail: `${row?.trail ?? ''},${n}` }
      },
    },
  })
  await using follower = await follow(database, definition)
  const note = (n: number) =>
    commit(
      database.pool,
      ['a', 'b', 'c', 'd'].map((key) => Noted({ key, other: '', n: key === 'c' ? n : n + 100 })),
    )
  for (const n of [1, 2, 3, 4]) await note(n)
  await follower.untilCaughtUp()
  for (const partitions of [5, 1, 3]) {
    await store.repartition('parted', partitions)
    await note(partitions + 10)
    await follower.untilCaughtUp()
  }
  const [key] = await store.parked.list({ name: 'parted' })
  expect(key).toMatchObject({ lane: 'rows', key: 'c', events: 5 })
  poisoned.clear()
  expect(await store.parked.retry(definition)).toMatchObject({ applied: 5, failed: [] })
  await note(20)
  await follower.untilCaughtUp()
  const { rows } = await database.pool.query('select key, trail from parted.rows order by key')
  const other = ',101,102,103,104,115,111,113,120'
  expect(rows).toEqual([
    { key: 'a', trail: other },
    { key: 'b', trail: other },
    { key: 'c', trail: ',1,2,3,4,15,11,13,20' },
    { key: 'd', trail: other },
  ])
  expect(await store.parked.list({ name: 'parted' })).toEqual([])
})

test('one partition that fails stops all of them, and status says which', async () => {
  const store = await openStore()
  const definition = projection('failing', {
    version: 1,
    events: [Noted],
    partitions: 3,
    tables: { rows: table({ key: text().primaryKey() }) },
  }).fold('rows', {
    key: ({ data }) => ({ key: data.key }),
    on: {
      noted: (_, { data }) => {
        if (data.n === 77) throw new Error('cannot take 77')
        return {}
      },
    },
  })
  await using follower = await follow(database, definition)
  await commit(database.pool, [Noted({ key: 'q', other: '', n: 77 })])
  await expect(follower.untilCaughtUp()).rejects.toThrow('cannot take 77')
  const status = (await store.status()).subscriptions.find(({ name }) => name === 'failing')
  expect(status).toMatchObject({ state: 'failed' })
  expect(status?.error).toMatch(`partition ${partitionOf('q', 3)}: `)
})
