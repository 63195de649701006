import type pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { projection, rows, type Store } from '../../../src/index.ts'
import { ownershipLockKey } from '../../../src/subscriptions/log-session.ts'
import { breakFunction } from '../../support/break-function.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { names, untilApplied } from '../fixtures.ts'
import { Added, byFold, byFoldAndBatch, Removed } from '../levels.ts'
import { begin, expectExact, openStore, rowsOf, startWorker, untilSequenced } from './fixtures.ts'

const divided = { ...byFoldAndBatch('sums'), partitions: 3 }

async function ownDatabase(): Promise<TestDatabase> {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own
}

/** Who applies each partition, and into how many the keys are divided or are to be. */
async function division(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query(
    /* sql */ `
    select partition || ' of ' || partitions || coalesce(' to ' || next_partitions, '') || ' ' || state as line
    from tidemark.subscriptions
    where kind = 'projection'
    order by partition`,
  )
  return rows.map(({ line }) => line)
}

const each = (count: number, state: string) =>
  Array.from({ length: count }, (_, i) => `${i} of ${count} ${state}`)

/** Appends to many rows at once, in several streams. */
function startWriters(stores: readonly Store[]) {
  let isStopped = false
  let written = 0
  const write = async (store: Store, writer: number) => {
    while (!isStopped) {
      written += 1
      const define = written % 3 === 0 ? Removed : Added
      await store.append(`w-${writer}`, define({ key: `k${written % 11}`, amount: written }))
    }
  }
  const running = Promise.all(stores.map(write))
  running.catch(() => {})
  const stop = async () => {
    isStopped = true
    await running
  }
  onTestFinished(() => stop().catch(() => {}))
  const untilMore = async () => {
    const from = written
    await until('more appends', () => written >= from + 30, { timeoutMs: 20_000 })
  }
  return { stop, untilMore }
}

test('the partitions of a projection become inline and asynchronous together, and their number changes', async () => {
  const own = await ownDatabase()
  const stores = [await openStore(own, [divided]), await openStore(own, [divided])]
  const [store = expect.fail()] = stores
  startWorker(own, [divided])
  startWorker(own, [divided])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  const writers = startWriters(stores)
  for (const [whileInline, whileAsync] of [
    [3, 2],
    [4, 1],
    [2, 3],
  ] as const) {
    const before = (await division(own.pool)).length
    await store.setMode('sums', 'inline')
    expect(await division(own.pool)).toEqual(each(before, 'inline'))
    await writers.untilMore()
    expect(await store.repartition('sums', whileInline)).toMatchObject({ partitions: whileInline })
    expect(await division(own.pool)).toEqual(each(whileInline, 'inline'))
    await writers.untilMore()
    await store.setMode('sums', 'async')
    expect(await division(own.pool)).toEqual(each(whileInline, 'active'))
    await writers.untilMore()
    expect(await store.repartition('sums', whileAsync)).toMatchObject({ partitions: whileAsync })
    await writers.untilMore()
  }
  await store.setMode('sums', 'inline')
  await writers.stop()
  await expectExact(own.pool, 'sums_v1')
  await store.setMode('sums', 'async')
  await store.append('s-1', Added({ key: 'k1', amount: 1 }))
  await untilSequenced(own.pool)
  await untilApplied(own.pool, divided)
  await expectExact(own.pool, 'sums_v1')
}, 120_000)

test('a version with another number of partitions takes the place of an inline one', async () => {
  const own = await ownDatabase()
  const second = { ...byFoldAndBatch('sums'), version: 2, partitions: 2 }
  const stores = [await openStore(own, [divided, second]), await openStore(own, [divided, second])]
  const [store = expect.fail()] = stores
  await store.setMode(divided, 'inline')
  startWorker(own, [divided, second])
  const writers = startWriters(stores)
  await writers.untilMore()
  await store.rebuild(second)
  for (const change of ['promote', 'rollback', 'promote'] as const) {
    await store[change]('sums')
    await writers.untilMore()
  }
  await writers.stop()
  await expectExact(own.pool, 'sums_v2')
  await untilApplied(own.pool, divided)
  await expectExact(own.pool, 'sums_v1')
}, 120_000)

/** As it is when all partitions have come to the position at which their number changes, and nobody looked yet. */
async function leaveDividing(own: TestDatabase, store: Store, partitions: number) {
  const worker = startWorker(own, [divided])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  await store.append('s-1', Added({ key: 'a', amount: 1 }))
  await untilSequenced(own.pool)
  await untilApplied(own.pool, divided)
  await worker.stop()
  await own.pool.query('update tidemark.projections set partitions = $1', [partitions])
  await own.pool.query(
    'update tidemark.subscriptions set next_partitions = $1, halt_at = position',
    [partitions],
  )
}

test('a change of partitions that waits is made before a switch', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [divided])
  await leaveDividing(own, store, 2)
  await store.setMode('sums', 'inline')
  expect(await division(own.pool)).toEqual(each(2, 'inline'))
  await store.append('s-1', Added({ key: 'a', amount: 2 }))
  startWorker(own, [divided])
  await store.setMode('sums', 'async')
  await store.append('s-1', Added({ key: 'a', amount: 3 }))
  await untilSequenced(own.pool)
  await untilApplied(own.pool, divided)
  await expectExact(own.pool, 'sums_v1')
})

test('a switch does not come between the partitions of a change that is under way', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [divided])
  await leaveDividing(own, store, 2)
  const client = await begin(own)
  const switched = await client.query("select * from tidemark.switch_inline('sums', 1)")
  expect(switched.rows).toMatchObject([{ is_done: false, is_dividing: true, is_sequenced: true }])
  await client.query('rollback')
  expect(await division(own.pool)).toEqual(
    each(3, 'active').map((line) => line.replace('of 3', 'of 3 to 2')),
  )
})

test('a partition that nobody delivers is not waited for', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [divided])
  const worker = startWorker(own, [divided])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  await worker.stop()
  await store.append('s-1', Added({ key: 'a', amount: 1 }))
  startWorker(own, [])
  await untilSequenced(own.pool)
  // Whoever has the first partition brings the others nowhere.
  const owner = await begin(own)
  const id = { kind: 'projection', name: 'sums', version: 1 } as const
  await owner.query('select pg_advisory_xact_lock($1)', [ownershipLockKey(names, id, 0)])
  await expect(store.setMode('sums', 'inline', { maxAttempts: 2 })).rejects.toThrow(
    'appends waited 0 ms: it is behind: run a worker that defines it',
  )
})

test.each([
  ['partitions', { ...byFold('guarded'), partitions: 4 }, ['sums']],
  [
    'tables that the server divides',
    projection('guarded', {
      version: 1,
      events: [Added, Removed],
      ddl: `
        create table sums (key text primary key, n integer) partition by hash (key);
        create table sums_0 partition of sums for values with (modulus 2, remainder 0);
        create table sums_1 partition of sums for values with (modulus 2, remainder 1)`,
      canBeInline: true,
      tables: rows<{ sums: { key: string; n: number } }>(),
    }).each({
      on: {
        added: (db, { data }) => db.insertInto('sums').values({ key: data.key, n: data.amount }),
        removed: () => null,
      },
    }),
    ['sums', 'sums_0', 'sums_1'],
  ],
] as const)(
  'nobody but an append writes rows of a version with %s',
  async (_, definition, tables) => {
    const own = await ownDatabase()
    const store = await openStore(own, [definition])
    await store.setMode(definition, 'inline')
    await store.append('s-1', Added({ key: 'a', amount: 1 }))
    for (const name of tables) {
      for (const write of [`delete from guarded_v1.${name}`, `truncate guarded_v1.${name}`]) {
        await expect(own.pool.query(write), write).rejects.toMatchObject({ code: 'TM013' })
      }
    }
    await expect(
      own.pool.query("insert into guarded_v1.sums (key) values ('x')"),
    ).rejects.toMatchObject({ code: 'TM013' })
    expect((await own.pool.query('select from guarded_v1.sums')).rows).toHaveLength(1)
  },
)

/** A fold whose events of one key are refused while it says so, in partitions. */
function refusing(state: { isRefused: boolean }) {
  const { folds, ...definition } = byFold('sums')
  return {
    ...definition,
    partitions: 3,
    onError: 'park' as const,
    folds: folds.map((fold) => ({
      ...fold,
      on: {
        ...fold.on,
        added: (row: unknown, event: unknown) => {
          const { data } = event as { data: { key: string } }
          if (state.isRefused && data.key === 'bad') throw new Error('not yet')
          return fold.on.added?.(row, event) ?? null
        },
      },
    })),
  }
}

test('a switch is refused while events of a partition are parked, and keeps their order', async () => {
  const own = await ownDatabase()
  const state = { isRefused: true }
  const definition = refusing(state)
  const store = await openStore(own, [definition])
  startWorker(own, [definition])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  for (const [key, amount] of [
    ['bad', 1],
    ['good', 2],
    ['bad', 3],
  ] as const)
    await store.append('s-1', Added({ key, amount }))
  await untilSequenced(own.pool)
  await untilApplied(own.pool, definition)
  expect(await rowsOf(own.pool, 'sums_v1')).toMatchObject([{ key: 'good' }])
  const refused = {
    code: 'PROJECTION_STATE_INVALID',
    message: expect.stringContaining(
      'has parked events: Retry or discard them first: tidemark parked',
    ),
  }
  await expect(store.setMode('sums', 'inline')).rejects.toMatchObject(refused)

  // Mended, but nobody has tried them again: a later one waits behind them.
  state.isRefused = false
  await expect(store.setMode('sums', 'inline')).rejects.toMatchObject(refused)
  await store.append('s-1', Added({ key: 'bad', amount: 4 }))
  await untilSequenced(own.pool)
  await untilApplied(own.pool, definition)
  await expect(store.setMode('sums', 'inline')).rejects.toMatchObject(refused)
  await store.parked.retry(definition)
  await store.setMode('sums', 'inline')
  await store.append('s-1', Added({ key: 'bad', amount: 5 }))
  await expectExact(own.pool, 'sums_v1')
  expect(await rowsOf(own.pool, 'sums_v1')).toMatchObject([{ key: 'bad', trail: ',1,3,4,5' }, {}])
}, 60_000)

test('a switch sees the events that are parked on the way to the head', async () => {
  const own = await ownDatabase()
  const definition = byFold('sums')
  const store = await openStore(own, [definition])
  const worker = startWorker(own, [definition])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  await worker.stop()
  await store.append('s-1', Added({ key: 'a', amount: 1 }))
  startWorker(own, [])
  await untilSequenced(own.pool)

  // The switch stands still in front of the position, and meanwhile a chunk is committed.
  const position = 'select min(s.position)'
  await breakFunction(
    own.pool,
    'switch_inline',
    position,
    `perform pg_advisory_xact_lock(4711); ${position}`,
  )
  const barrier = await begin(own)
  await barrier.query('select pg_advisory_xact_lock(4711)')
  const client = await begin(own)
  const switching = client.query("select * from tidemark.switch_inline('sums', 1)")
  switching.catch(() => {})
  await until('the switch to stand still', async () => {
    const { rows } = await own.pool.query(
      "select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted",
    )
    return rows.length > 0
  })
  await own.pool.query(/* sql */ `
    insert into tidemark.parked_events
      (kind, name, version, lane, key, position, event_id, type, stream_id, stream_version)
    select 'projection', 'sums', 1, 'sums', 'a', l.position, l.event_id, l.type, l.stream_id, l.version
    from tidemark.log as l`)
  await own.pool.query(
    'update tidemark.subscriptions as s set position = q.position from tidemark.sequencer as q',
  )
  await barrier.query('commit')
  await expect(switching).rejects.toMatchObject({
    code: 'TM014',
    message: 'projection "sums" version 1 has parked events',
  })
  await client.query('rollback')
})
