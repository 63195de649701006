import { expect, onTestFinished, test } from 'vitest'
import { projection, table, text } from '../../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { Added, byFold, Removed } from '../levels.ts'
import { begin, expectExact, openStore, rowsOf, startWorker, untilSequenced } from './fixtures.ts'

const one = Added({ key: 'a', amount: 1 })
const folded = byFold('guarded')

async function ownDatabase(): Promise<TestDatabase> {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own
}

async function madeInline(own: TestDatabase) {
  const store = await openStore(own, [folded])
  await store.setMode(folded, 'inline')
  await store.append('s-1', one)
  return store
}

async function countEvents({ pool }: TestDatabase): Promise<number> {
  return (await pool.query('select from tidemark.events')).rowCount ?? 0
}

const changed = expect.stringContaining('somebody changed its tables')

test('a change by hand that rows can live with stops no append, and the worker tells of it', async () => {
  const own = await ownDatabase()
  const store = await madeInline(own)
  await own.pool.query('alter table guarded_v1.sums add column extra text')
  const other = byFold('other')
  const worker = startWorker(own, [folded, other])
  await store.append('s-1', one)
  await until('the other projection to be followed', async (saw) => {
    const { subscriptions } = await store.status()
    saw(subscriptions)
    return subscriptions.some(({ name, position }) => name === 'other' && position === 2n)
  })
  const told = await until('the worker to tell', () => {
    const lines = worker.log.withCode('PROJECTION_DRIFTED')
    return lines.length > 0 && lines
  })
  expect(told).toEqual([
    expect.objectContaining({
      level: 'error',
      message: expect.stringMatching(/column "extra": .*; appends go on applying it, or fail$/),
    }),
  ])
  const { subscriptions } = await store.status()
  expect(subscriptions.find(({ name }) => name === 'guarded')).toMatchObject({
    state: 'inline',
    lag: 0n,
    error: null,
  })
  await store.append('s-1', one)
  await expectExact(own.pool, 'guarded_v1')
})

test('a change that rows cannot live with has every append refused, with its events, until it is undone', async () => {
  const own = await ownDatabase()
  const store = await madeInline(own)
  startWorker(own, [folded])
  await own.pool.query('alter table guarded_v1.sums rename column trail to renamed')
  await expect(store.append('s-1', one)).rejects.toMatchObject({
    code: 'PROJECTION_NOT_APPLIED',
    message: expect.stringContaining('trail'),
  })
  expect(await countEvents(own)).toBe(1)
  await own.pool.query('alter table guarded_v1.sums rename column renamed to trail')
  await store.append('s-1', one)
  await expectExact(own.pool, 'guarded_v1')
})

test('a store whose definition declares other tables appends nothing that it reads', async () => {
  const own = await ownDatabase()
  const store = await madeInline(own)
  // The server would take its rows: every other column has a default.
  await own.pool.query(
    "alter table guarded_v1.sums alter column sum set default 0, alter column trail set default ''",
  )
  const redeclared = projection('guarded', {
    version: 1,
    events: [Added, Removed],
    tables: { sums: table({ key: text().primaryKey() }) },
  }).fold('sums', {
    key: ({ data }) => ({ key: data.key }),
    on: { added: () => ({}), removed: () => ({}) },
  })
  const wrong = await openStore(own, [redeclared])
  const refusal = {
    code: 'PROJECTION_DRIFTED',
    message:
      'projection "guarded" version 1: its tables are declared otherwise than they were made: raise ' +
      '`version` in its definition and rebuild',
  }
  await expect(wrong.append('s-2', Added({ key: 'b', amount: 1 }))).rejects.toMatchObject(refusal)
  const tx = await begin(own)
  await expect(wrong.append('s-2', one, { tx })).rejects.toMatchObject(refusal)
  await tx.query('commit')
  expect(await countEvents(own)).toBe(1)
  await store.append('s-1', one)
  startWorker(own, [folded])
  await expectExact(own.pool, 'guarded_v1')
})

test('what was changed by hand does not become inline, and what is inline can become asynchronous', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [folded])
  const first = startWorker(own, [folded])
  await until('the first version', async () => {
    const { subscriptions } = await store.status()
    return subscriptions.length > 0
  })
  const alter = (change: string) => own.pool.query(`alter table guarded_v1.sums ${change}`)
  await alter('add column extra text')
  await expect(store.setMode('guarded', 'inline')).rejects.toMatchObject({
    code: 'PROJECTION_DRIFTED',
    message: changed,
  })
  await alter('drop column extra')
  await store.setMode('guarded', 'inline')
  await store.append('s-1', one)
  await untilSequenced(own.pool)
  await first.stop()
  await alter('add column extra text')
  const worker = startWorker(own, [folded])
  await store.setMode('guarded', 'async')
  await until('the worker to stop it', async (saw) => {
    const { subscriptions } = await store.status()
    saw(subscriptions)
    return subscriptions[0]?.state === 'failed'
  })
  await store.append('s-1', one)
  await untilSequenced(own.pool)
  expect(await rowsOf(own.pool, 'guarded_v1')).toMatchObject([{ entries: 1 }])
  await alter('drop column extra')
  await until('the worker to go on', async (saw) => {
    const { subscriptions } = await store.status()
    saw(subscriptions)
    return subscriptions[0]?.state === 'active' && subscriptions[0].lag === 0n
  })
  await expectExact(own.pool, 'guarded_v1')
  await worker.stop()
})
