import fc from 'fast-check'
import type pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { NewEvent } from '../../../src/core/event.ts'
import { transaction } from '../../../src/db/transaction.ts'
import { reject, type Store } from '../../../src/index.ts'
import { dropLogSlots } from '../../sequencer/ledger.ts'
import { createTestDatabase, type TestDatabase, useDatabase } from '../../support/database.ts'
import { untilApplied } from '../fixtures.ts'
import { Added, byBatch, byEach, byFold, byFoldAndBatch, Removed } from '../levels.ts'
import {
  begin,
  expectExact,
  foldLog,
  openStore,
  rowsOf,
  type Sum,
  startWorker,
  untilSequenced,
} from './fixtures.ts'

const database = useDatabase()

async function ownDatabase() {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  onTestFinished(() => dropLogSlots(own.connectionString))
  return own
}

test('shows an append at once, without any worker', async () => {
  const folded = byFold('at_once')
  const store = await openStore(database, [folded])
  expect(await store.setMode(folded, 'inline')).toEqual({
    projection: 'at_once',
    version: 1,
    mode: 'inline',
  })
  await store.append('s-1', [Added({ key: 'a', amount: 1 }), Added({ key: 'b', amount: 2 })])
  const { token } = await store.append('s-2', Removed({ key: 'a', amount: 3 }))
  const rows = [
    { key: 'a', sum: '-2', entries: 2, trail: ',1,-3' },
    { key: 'b', sum: '2', entries: 1, trail: ',2' },
  ]
  expect(await rowsOf(database.pool, 'at_once_v1')).toEqual(rows)
  const db = await store.query(folded, { after: token, timeoutMs: 1_000 })
  expect(await db.selectFrom('sums').select('key').orderBy('key').execute()).toHaveLength(2)
  await store.setMode(folded, 'inline')
})

/** Like the handlers of `byEach`, of which events of one key depend on each other across streams. */
function byKeyedEach(name: string) {
  const definition = byEach(name)
  const key = (event: unknown) => (event as { data: { key: string } }).data.key
  const { eachLevel } = definition
  return { ...definition, eachLevel: eachLevel && { ...eachLevel, key } }
}

interface Call {
  readonly way: 'append' | 'tx' | 'rolled back' | 'many' | 'conflict' | 'condition'
  readonly streamId: string
  readonly events: readonly NewEvent[]
}

const carryOut: Record<Call['way'], (store: Store, pool: pg.Pool, call: Call) => Promise<unknown>> =
  {
    append: (store, _, { streamId, events }) => store.append(streamId, events),
    conflict: (store, _, { streamId, events }) =>
      store.append(streamId, events, { expect: 1_000_000n }),
    many: (store, _, { streamId, events }) =>
      store.appendMany([
        { streamId, events },
        { streamId: `other-${streamId}`, events: [Added({ key: 'e', amount: 1 })] },
      ]),
    condition: (store, _, { streamId, events }) =>
      store.append(streamId, events, { condition: { query: [{ tags: ['nobody-has-it'] }] } }),
    tx: (store, pool, call) => transaction(pool, (tx) => appendTwice(store, tx, call)),
    'rolled back': (store, pool, call) =>
      transaction(pool, async (tx) => {
        await appendTwice(store, tx, call)
        throw new RolledBack()
      }).catch((error: unknown) => {
        if (!(error instanceof RolledBack)) throw error
      }),
  }

class RolledBack extends Error {}

async function appendTwice(store: Store, tx: pg.PoolClient, { streamId, events }: Call) {
  await store.append(streamId, events, { tx })
  await store.append(`${streamId}-too`, events, { tx })
}

let amounts = 0

const arbitraryCall = fc
  .record({
    way: fc.constantFrom(...(Object.keys(carryOut) as Call['way'][])),
    streamId: fc.constantFrom('s-1', 's-2', 's-3', 's-4', 's-5'),
    changes: fc.array(
      fc.record({
        define: fc.constantFrom(Added, Removed),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ changes, ...call }) => ({
    ...call,
    events: changes.map(({ define, key }) => {
      amounts += 1
      return define({ key, amount: amounts })
    }),
  }))

/** Appends that come at once, by two stores, until they have all ended. */
async function appendAtRandom(own: TestDatabase, stores: readonly Store[], numRuns: number) {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryCall, { minLength: 1, maxLength: 12 }), async (calls) => {
      const running = calls.map((call, i) =>
        carryOut[call.way](stores[i % stores.length] ?? expect.fail(), own.pool, call),
      )
      const settled = await Promise.allSettled(running)
      const codes = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
      // Transactions that append twice may wait for each other: the server ends one of them.
      expect(codes.filter((c) => c !== 'STREAM_VERSION_CONFLICT' && c !== '40P01')).toEqual([])
    }),
    { numRuns },
  )
}

/** For levels whose events of different streams do not depend on each other: without their order. */
const withoutTrail = (rows: readonly Sum[]) => rows.map(({ trail, ...row }) => [row, trail.length])

describe.each([
  ['a fold', byFold, 'in order'],
  ['each', byKeyedEach, 'in order'],
  ['a batch', byBatch, 'in any order'],
  ['a fold and a batch', byFoldAndBatch, 'in order'],
] as const)('by %s', (_, define, order) => {
  test.each(['poll', 'auto'] as const)(
    'concurrent appends give what a fold over the log gives, and what a worker does, in mode %s',
    async (mode) => {
      const own = await ownDatabase()
      const inline = define('inline_sums')
      const async = define('async_sums')
      const stores = await Promise.all([openStore(own, [inline]), openStore(own, [inline])])
      await stores[0]?.setMode(inline, 'inline')
      startWorker(own, [inline, async], mode)
      await appendAtRandom(own, stores, 12)
      await untilSequenced(own.pool)
      await untilApplied(own.pool, async)
      const same = order === 'in order' ? (rows: readonly Sum[]) => rows : withoutTrail
      const rows = same(await rowsOf(own.pool, 'inline_sums_v1'))
      expect(rows).toEqual(same(await foldLog(own.pool)))
      expect(rows).toEqual(same(await rowsOf(own.pool, 'async_sums_v1')))
      const debts = await own.pool.query('select from tidemark.inline_debts')
      expect(debts.rows).toEqual([])
    },
    60_000,
  )
})

test('decisions, imports and appends under a key are applied once', async () => {
  const own = await ownDatabase()
  const folded = byFold('ways')
  const store = await openStore(own, [folded])
  await store.setMode(folded, 'inline')
  for (let i = 0; i < 2; i += 1) {
    await store.append('s-1', Added({ key: 'a', amount: 1 }), { key: 'once' })
  }
  await store.decide([{ types: ['added'] }], (events) =>
    events.length === 1
      ? { streamId: 's-2', events: [Added({ key: 'a', amount: 2 })] }
      : reject('never'),
  )
  const imported = Array.from({ length: 700 }, (_, i) => ({
    streamId: `i-${i % 300}`,
    event: Added({ key: `i${i % 290}`, amount: i }),
  }))
  for (let i = 0; i < 2; i += 1)
    await store.importEvents(imported, { key: 'import', batchSize: 350 })
  await store.append(
    's-3',
    Array.from({ length: 300 }, (_, i) => Added({ key: `j${i}`, amount: i })),
  )
  startWorker(own, [folded])
  await expectExact(own.pool, 'ways_v1')
})

test('every append of its own is applied, whatever isolation the database begins with', async () => {
  const own = await ownDatabase()
  const folded = byFold('isolated')
  await own.pool.query(
    `alter database ${own.name} set default_transaction_isolation = 'repeatable read'`,
  )
  const store = await openStore(own, [folded])
  await store.setMode(folded, 'inline')
  await store.append('s-1', Added({ key: 'a', amount: 1 }))
  await store.appendMany([{ streamId: 's-2', events: [Added({ key: 'a', amount: 2 })] }])
  const event = Added({ key: 'a', amount: 3 })
  await store.importEvents([{ streamId: 's-3', event }], { key: 'import' })
  expect(await rowsOf(own.pool, 'isolated_v1')).toMatchObject([{ trail: ',1,2,3' }])
})

test('one append that fails leaves those that share its transaction alone', async () => {
  const own = await ownDatabase()
  const folded = byFold('shared')
  const picky = byFold('picky')
  const throwing = {
    ...picky,
    folds: picky.folds.map((fold) => ({
      ...fold,
      key: (event: unknown) => {
        const { data } = event as { data: { key: string } }
        if (data.key === 'bad') throw new Error('not this one')
        return data
      },
    })),
  }
  const store = await openStore(own, [folded, throwing])
  await store.setMode(folded, 'inline')
  await store.setMode(throwing, 'inline')
  const settled = await Promise.allSettled(
    ['a', 'bad', 'b', 'c'].map((key, i) => store.append(`s-${i}`, Added({ key, amount: 1 }))),
  )
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
  expect(settled[1]).toMatchObject({
    reason: {
      code: 'HANDLER_FAILED',
      details: {
        subscription: 'projection "picky" version 1',
        position: null,
        type: 'added',
        reason: 'not this one',
      },
    },
  })
  startWorker(own, [])
  await expectExact(own.pool, 'shared_v1')
})

test('a transaction that the caller holds keeps its search path, and the rows are its own', async () => {
  const own = await ownDatabase()
  const each = byEach('paths')
  const store = await openStore(own, [each])
  await store.setMode(each, 'inline')
  const tx = await begin(own)
  await tx.query("set local search_path = 'pg_catalog'")
  await store.append('s-1', Added({ key: 'a', amount: 1 }), { tx })
  const { rows } = await tx.query('show search_path')
  expect(rows).toEqual([{ search_path: 'pg_catalog' }])
  expect(await rowsOf(own.pool, 'paths_v1')).toEqual([])
  await tx.query('commit')
  expect(await rowsOf(own.pool, 'paths_v1')).toHaveLength(1)
})
