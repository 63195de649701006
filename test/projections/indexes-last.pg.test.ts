import { afterAll, beforeAll, expect, test } from 'vitest'
import { createStore, integer, projection, type Store, table, text } from '../../src/index.ts'
import type { RebuildProgress } from '../../src/projections/versions/build-progress.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { Counted, counted } from './counts.ts'
import { commit, follow } from './fixtures.ts'
import { indexed, indexNames } from './indexed.ts'

const database = useDatabase()
let store: Store

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  await commit(database.pool, counted(60))
})

afterAll(() => store.close())

async function indexesOf(schema: string): Promise<string[]> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select indexname::text as name from pg_indexes where schemaname = $1 and indexname not like '%pkey'
    union all
    select conname::text from pg_constraint where connamespace = $1::regnamespace and contype = 'f'
    order by 1`,
    [schema],
  )
  return rows.map((row) => row.name)
}

async function makeLive(name: string): Promise<void> {
  await using first = await follow(database, indexed(name, 1))
  await first.untilCaughtUp()
}

test('a version that is live from its start has its indexes at once, a rebuilt one at the end', async () => {
  const name = 'last'
  await makeLive(name)
  expect(await indexesOf(`${name}_v1`)).toEqual(indexNames)
  let seen: Promise<string[]> | undefined
  const next = indexed(name, 2, () => {
    seen ??= indexesOf(`${name}_v2`)
  })
  await store.rebuild(next)
  expect(await seen).toEqual([])
  expect(await indexesOf(`${name}_v2`)).toEqual(indexNames)
})

/** An index that takes as long to make as somebody holds a lock. */
const slow = (name: string, version: number) =>
  projection(name, {
    version,
    events: [Counted],
    tables: {
      items: table(
        { key: text().primaryKey(), n: integer() },
        { indexes: { slow_idx: [{ sql: `public.slow_${name}(key)` }] } },
      ),
    },
  }).fold('items', { key: ({ data }) => data, on: { counted: () => ({ n: version }) } })

async function prepareSlow(name: string): Promise<void> {
  await database.pool.query(/* sql */ `
    create function public.slow_${name}(key text) returns text immutable language plpgsql
    as $$ begin perform pg_advisory_xact_lock_shared(4711); return key; end $$`)
  await using first = await follow(database, slow(name, 1))
  await first.untilCaughtUp()
}

test('a rebuild tells that it makes indexes, holds up nobody meanwhile, and takes in what came', async () => {
  const name = 'told'
  await prepareSlow(name)
  const holder = await database.client()
  await holder.query('select pg_advisory_lock(4711)')
  const progress: RebuildProgress[] = []
  const rebuilding = store.rebuild(slow(name, 2), { onProgress: (step) => progress.push(step) })
  await until('the rebuild to tell', async (saw) => {
    saw(progress.at(-1))
    return progress.at(-1)?.isIndexing === true
  })
  expect(progress.at(-1)).toMatchObject({ remainingMs: null })
  await commit(database.pool, counted(3))
  expect(
    (await store.status()).subscriptions.find((one) => one.name === name && one.version === 2),
  ).toMatchObject({
    projectionState: 'building',
  })
  await holder.query('select pg_advisory_unlock(4711)')
  expect(await rebuilding).toMatchObject({ state: 'ready' })
  expect(await indexesOf(`${name}_v2`)).toEqual(['slow_idx'])
  await using next = await follow(database, slow(name, 2))
  await next.untilCaughtUp()
})

test('a rebuild that is stopped while it makes indexes ends at once, and begins them again', async () => {
  const name = 'stopped'
  await prepareSlow(name)
  const holder = await database.client()
  await holder.query('select pg_advisory_lock(4711)')
  const stop = new AbortController()
  const onProgress = (step: RebuildProgress) => {
    if (step.isIndexing) stop.abort()
  }
  await expect(
    store.rebuild(slow(name, 2), { signal: stop.signal, onProgress }),
  ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
  expect(await indexesOf(`${name}_v2`)).toEqual([])
  await holder.query('select pg_advisory_unlock(4711)')
  expect(await store.rebuild(slow(name, 2))).toMatchObject({ state: 'ready' })
  expect(await indexesOf(`${name}_v2`)).toEqual(['slow_idx'])
})

test('a rebuild whose foreign key does not hold at its end says so', async () => {
  const name = 'broken'
  await makeLive(name)
  const next = indexed(name, 2)
  const { folds } = next
  const broken = { ...next, folds: folds.filter((fold) => fold.table === 'items') }
  await expect(store.rebuild(broken)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_FAILED',
    message: expect.stringContaining('items_kind_fkey'),
  })
})
