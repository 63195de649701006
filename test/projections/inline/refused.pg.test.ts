import { Kysely, PostgresDialect } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import type { SequencedEvent } from '../../../src/core/recorded-event.ts'
import { logNames } from '../../../src/db/log-names.ts'
import { event, projection } from '../../../src/index.ts'
import { appendToStream } from '../../../src/store/append.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { Added, byBatch, byEach, byFold, Removed } from '../levels.ts'
import { begin, expectExact, openStore, rowsOf, startWorker } from './fixtures.ts'

const one = Added({ key: 'a', amount: 1 })

async function ownDatabase(): Promise<TestDatabase> {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own
}

async function inlineFold(own: TestDatabase) {
  const folded = byFold('guarded')
  const store = await openStore(own, [folded])
  await store.setMode(folded, 'inline')
  return { folded, store }
}

/** Nothing of it is in the log, nor in the rows. */
async function expectNothing(own: TestDatabase) {
  const { rows } = await own.pool.query('select from tidemark.events')
  expect(rows).toHaveLength(0)
  expect(await rowsOf(own.pool, 'guarded_v1')).toEqual([])
}

const insertRow = `insert into tidemark.events (stream_id, version, event_id, type, data)
  values ('s-1', 1, gen_random_uuid(), 'added', '{"key": "a", "amount": 1}')`
const notApplied = {
  code: 'TM013',
  message:
    'projection "guarded" version 1 is inline, and this transaction appends events without applying it',
}

test.each([
  [
    'the append function',
    `select tidemark.append('s-1', 'any', '[{"type": "added", "data": {"key": "a", "amount": 1}}]')`,
  ],
  ['a plain insert', insertRow],
  [
    'an insert of many types',
    `begin; ${insertRow.replace("'added'", "'other'")}; ${insertRow.replace('1,', '2,')}; commit`,
  ],
  ['a prepared transaction', `begin; ${insertRow}; prepare transaction 'side-door'`],
  [
    'constraints that are checked at once',
    `begin; set constraints all immediate; ${insertRow}; commit`,
  ],
  ['a savepoint that is released', `begin; savepoint s; ${insertRow}; release s; commit`],
])('SQL that does not apply a projection is refused: %s', async (_, statement) => {
  const own = await ownDatabase()
  await inlineFold(own)
  const client = await own.pool.connect()
  await expect(client.query(statement)).rejects.toMatchObject(notApplied)
  await client.query('rollback')
  client.release()
  await expectNothing(own)
})

test('what a savepoint takes back is not missed, and other types go their way', async () => {
  const own = await ownDatabase()
  await inlineFold(own)
  await own.pool.query(
    `begin; savepoint s; ${insertRow}; rollback to s; ${insertRow.replace("'added'", "'other'")}; commit`,
  )
  const { rows } = await own.pool.query('select type from tidemark.events')
  expect(rows).toEqual([{ type: 'other' }])
})

test('stores without the definition, or with another version of it, are refused', async () => {
  const own = await ownDatabase()
  const { folded } = await inlineFold(own)
  const second = { ...byFold('guarded'), version: 2 }
  const without = await openStore(own, [])
  const other = await openStore(own, [second])
  const withOtherTypes = projection('guarded', {
    version: 1,
    events: [Added, Removed, event('later').v(1, z.object({}))],
    tables: folded.tables,
  }).fold('sums', {
    key: () => null,
    on: { added: () => null, removed: () => null, later: () => null },
  })
  const drifted = await openStore(own, [withOtherTypes])
  const refused = { code: 'PROJECTION_NOT_APPLIED', details: { projection: 'guarded', version: 1 } }
  for (const store of [without, other, drifted]) {
    await expect(store.append('s-1', one)).rejects.toMatchObject(refused)
    await expect(store.appendMany([{ streamId: 's-1', events: [one] }])).rejects.toMatchObject(
      refused,
    )
    await expect(
      store.importEvents([{ streamId: 's-1', event: one }], { key: 'k' }),
    ).rejects.toMatchObject(refused)
  }
  await expect(without.append('s-1', one)).rejects.toThrow(
    'projection "guarded" version 1 is inline, and this transaction appends events without applying it: ' +
      'give this version to the store as `inline`, or make the projection asynchronous',
  )
  await expect(other.append('s-1', one)).rejects.toThrow(
    'projection "guarded" version 1 is inline, and this store knows "guarded" version 2 as inline: ' +
      'give that version to it, or make the projection asynchronous',
  )
  await expectNothing(own)
})

test('a transaction that ends under an append which is not awaited is refused, and no row written', async () => {
  const own = await ownDatabase()
  const { store } = await inlineFold(own)
  for (const pauses of [0, 1, 2, 3, 4, 5, 6, 8, 10]) {
    const tx = await begin(own)
    const appending = store.append(`s-${pauses}`, one, { tx }).catch(() => 'refused')
    for (let i = 0; i < pauses; i += 1) await new Promise(setImmediate)
    const committed = await tx.query('commit').then(
      () => 'committed',
      ({ code }) => code,
    )
    await appending
    if (committed !== 'committed') expect(committed).toBe('TM013')
  }
  startWorker(own, [])
  await expectExact(own.pool, 'guarded_v1')
})

test('nobody writes the rows but an append, until the projection is asynchronous again', async () => {
  const own = await ownDatabase()
  const { store } = await inlineFold(own)
  await store.append('s-1', one)
  const { pool } = own
  const writes = [
    "insert into guarded_v1.sums values ('x', 1, 1, '', '[]')",
    'update guarded_v1.sums set sum = 0',
    'delete from guarded_v1.sums',
    'truncate guarded_v1.sums',
  ]
  for (const write of writes) {
    await expect(pool.query(write)).rejects.toMatchObject({
      code: 'TM013',
      message:
        'projection "guarded" version 1 is inline: only an append writes its rows, in its own transaction',
    })
  }
  const worker = startWorker(own, [])
  await store.setMode('guarded', 'async')
  await worker.stop()
  for (const write of writes) await pool.query(write)
})

test('several appends of one transaction at once are applied one after the other', async () => {
  const own = await ownDatabase()
  const { store, folded } = await inlineFold(own)
  const tx = await begin(own)
  const appends = Array.from({ length: 5 }, (_, i) =>
    store.append(`s-${i}`, Added({ key: 'a', amount: i + 1 }), { tx }),
  )
  await Promise.all(appends)
  await tx.query('commit')
  startWorker(own, [folded])
  await expectExact(own.pool, 'guarded_v1')
})

test('an append within nothing, or with a snapshot that is kept, is refused', async () => {
  const own = await ownDatabase()
  const { store } = await inlineFold(own)
  await expect(store.append('s-1', one, { tx: own.pool })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    details: { option: 'tx' },
  })
  for (const isolation of ['repeatable read', 'serializable']) {
    const tx = await begin(own, isolation)
    await expect(store.append('s-1', one, { tx })).rejects.toMatchObject({ code: 'APPEND_INVALID' })
    await tx.query('commit')
    const raw = await begin(own, isolation)
    await expect(raw.query(insertRow)).rejects.toMatchObject({ code: 'TM005' })
    await raw.query('rollback')
  }
  await expectNothing(own)
})

test('a handler that throws leaves the transaction of the caller as it was', async () => {
  const own = await ownDatabase()
  const batch = byBatch('asks').batchLevel
  const asking = { ...byEach('asks'), eachLevel: null, batchLevel: batch }
  const needsPosition = projection('guarded', {
    version: 1,
    events: [Added],
    canBeInline: true,
    tables: byFold('guarded').tables,
  }).fold('sums', {
    key: ({ data }) => ({ key: data.key }),
    on: {
      // As code does that nobody has compiled.
      added: (_, event) => ({
        sum: (event as never as SequencedEvent).position,
        entries: 1,
        trail: '',
      }),
    },
  })
  const store = await openStore(own, [needsPosition, asking])
  await store.setMode(needsPosition, 'inline')
  const tx = await begin(own)
  await tx.query('create table kept (n integer)')
  await expect(store.append('s-1', one, { tx })).rejects.toMatchObject({
    code: 'HANDLER_FAILED',
    details: { reason: expect.stringContaining('an event has no position yet') },
  })
  await tx.query('insert into kept values (1)')
  await tx.query('commit')
  await expectNothing(own)
  expect((await own.pool.query('select n from kept')).rows).toEqual([{ n: 1 }])
})

test('a Kysely transaction is joined by folds; a handler that reads needs a client', async () => {
  const own = await ownDatabase()
  const { store, folded } = await inlineFold(own)
  const db = new Kysely<never>({ dialect: new PostgresDialect({ pool: own.pool }) })
  await db.transaction().execute((tx) => store.append('s-1', one, { tx }))
  startWorker(own, [folded])
  await expectExact(own.pool, 'guarded_v1')

  const each = byEach('reading')
  startWorker(own, [each])
  const reader = await openStore(own, [folded, each])
  await reader.setMode(each, 'inline')
  const removing = db
    .transaction()
    .execute((tx) => reader.append('s-1', Removed({ key: 'a', amount: 1 }), { tx }))
  await expect(removing).rejects.toMatchObject({
    code: 'HANDLER_FAILED',
    details: { reason: expect.stringContaining('append with a `pg` client as `tx`') },
  })
})

test('a log without inline projections takes appends as before', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [byFold('guarded')])
  await store.append('s-1', one)
  await appendToStream(own.pool, logNames(), { streamId: 's-1', events: [one] })
  await own.pool.query(insertRow.replace("'s-1', 1", "'s-1', 3"))
})
