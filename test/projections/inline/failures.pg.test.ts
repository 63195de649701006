import { sql } from 'kysely'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { transaction } from '../../../src/db/transaction.ts'
import type { AnyProjection } from '../../../src/index.ts'
import { integer, projection, table, text } from '../../../src/index.ts'
import { breakFunction } from '../../support/break-function.ts'
import { createTestDatabase } from '../../support/database.ts'
import { Added, byEach, byFold, byFoldAndBatch, Removed } from '../levels.ts'
import { begin, expectExact, openStore, startWorker } from './fixtures.ts'

const added = Added({ key: 'a', amount: 1 })
const removed = Removed({ key: 'b', amount: 2 })

async function openInline(...projections: readonly AnyProjection[]) {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  const store = await openStore(own, projections)
  for (const one of projections) await store.setMode(one, 'inline')
  return { own, store }
}

const options = {
  version: 1,
  events: [Added, Removed],
  tables: { rows: table({ key: text().primaryKey(), n: integer() }) },
  canBeInline: true,
} as const

const fails = sql`select 1 / 0`

/** The level that comes first has to write when the other has failed. */
const besideFold = projection('failing', options)
  .fold('rows', {
    key: ({ data }) => ({ key: data.key }),
    on: { added: () => ({ n: 1 }), removed: () => ({ n: 1 }) },
  })
  .batch(() => fails)

const inSilence = projection('failing', options).each({
  on: {
    added: async (db) => {
      await fails.execute(db as never).catch(() => {})
      return null
    },
    removed: () => null,
  },
})

/** The second event reads, when what the first asked for was refused. */
const beforeARead = projection('failing', options).each({
  on: {
    added: () => fails,
    removed: async (db) => {
      await db.selectFrom('rows').selectAll().execute()
      return null
    },
  },
})

describe.each([
  ['a level beside it', besideFold, 'PROJECTION_NOT_APPLIED'],
  ['a handler that keeps it to itself', inSilence, 'PROJECTION_NOT_APPLIED'],
  ['a handler behind it that reads', beforeARead, 'HANDLER_FAILED'],
])(
  'what the server refuses is named, not that the transaction is aborted: %s',
  (_, failing, code) => {
    const refused = {
      code,
      message: expect.stringContaining('division by zero'),
      details: { reason: 'division by zero' },
    }

    test('in a transaction of its own', async () => {
      const { own, store } = await openInline(failing)
      await expect(store.append('s-1', [added, removed])).rejects.toMatchObject(refused)
      await expect(
        store.appendMany([{ streamId: 's-1', events: [added, removed] }]),
      ).rejects.toMatchObject(refused)
      expect((await own.pool.query('select from tidemark.events')).rows).toEqual([])
    })

    test("in the caller's, which goes on", async () => {
      const { own, store } = await openInline(failing)
      const tx = await begin(own)
      await tx.query('create table kept (n integer)')
      await expect(store.append('s-1', [added, removed], { tx })).rejects.toMatchObject(refused)
      await tx.query('insert into kept values (1)')
      await tx.query('commit')
      expect((await own.pool.query('select n from kept')).rows).toEqual([{ n: 1 }])
    })
  },
)

test('the event is named that was refused, not one behind it', async () => {
  const { own, store } = await openInline(beforeARead)
  const tx = await begin(own)
  await expect(store.append('s-1', [added, removed], { tx })).rejects.toMatchObject({
    details: { type: 'added' },
  })
})

test('so is what it refused when the debts were settled', async () => {
  const { own, store } = await openInline(byFold('folded'))
  await breakFunction(own.pool, 'settle_inline_debts', 'if v_settled <>', 'if true or v_settled <>')
  const tx = await begin(own)
  for (const options of [{}, { tx }]) {
    await expect(store.append('s-1', added, options)).rejects.toMatchObject({
      code: 'PROJECTION_NOT_APPLIED',
      message:
        'events of this transaction were applied to projection "folded" already: ' +
        'await each append in a transaction before the next one',
    })
  }
})

/** Counts the statements that are under way at once. */
function counting<C extends { query(...statement: never[]): Promise<unknown> }>(client: C) {
  let [underWay, most] = [0, 0]
  const query = client.query.bind(client)
  client.query = async (...statement) => {
    underWay += 1
    most = Math.max(most, underWay)
    try {
      return await query(...statement)
    } finally {
      underWay -= 1
    }
  }
  return { client, most: () => most }
}

const twoEvents = [added, removed, Added({ key: 'c', amount: 3 })]

test('one statement at a time is under way on the connection of a caller', async () => {
  const projections = [byFoldAndBatch('sums'), byEach('each'), byFold('folded')]
  const { own, store } = await openInline(...projections)
  const { client, most } = counting(await begin(own))
  await Promise.all([
    store.append('s-1', twoEvents, { tx: client }),
    store.append('s-2', twoEvents, { tx: client }),
  ])
  await client.query('commit')
  expect(most()).toBe(1)
  startWorker(own, [])
  await expectExact(own.pool, 'sums_v1')
})

test('nor are there two in a transaction on a connection that takes one after the other', async () => {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  for (const pipeline of [true, false]) {
    const pool = new pg.Pool({ connectionString: own.connectionString, max: 1, pipeline })
    let most = () => 0
    pool.on('connect', (client) => {
      most = counting(client as never).most
    })
    await transaction(pool, (client) => client.query('select 1'))
    await pool.end()
    expect(most()).toBe(pipeline ? 2 : 1)
  }
})
