import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { bigint, event, projection, table, text } from '../../../src/index.ts'
import { breakFunction } from '../../support/break-function.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { Added, byFold } from '../levels.ts'
import { begin, foldLog, openStore, rowsOf, startWorker, untilSequenced } from './fixtures.ts'

// Without what they guard, the tests beside this one would have to fail: each of these takes one guard away
// and shows the hole.

const insertRow = `insert into tidemark.events (stream_id, version, event_id, type, data)
  values ('raw-1', 1, gen_random_uuid(), 'added', '{"key": "a", "amount": 7}')`

async function ownDatabase(): Promise<TestDatabase> {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own
}

async function openInline(own: TestDatabase) {
  const folded = byFold('sums')
  const store = await openStore(own, [folded])
  await store.setMode(folded, 'inline')
  return { folded, store }
}

async function expectHole(own: TestDatabase) {
  startWorker(own, [byFold('sums')])
  await untilSequenced(own.pool)
  expect(await rowsOf(own.pool, 'sums_v1')).not.toEqual(await foldLog(own.pool))
}

test('without the guard of events, what SQL inserts is lost', async () => {
  const own = await ownDatabase()
  await openInline(own)
  const exists = 'if exists (select from tidemark.inline_projections)'
  await breakFunction(own.pool, 'guard_events', exists, 'if false')
  await own.pool.query(insertRow)
  await expectHole(own)
})

test('without turns by row, of two appends at once one is lost', async () => {
  const own = await ownDatabase()
  const { store } = await openInline(own)
  await breakFunction(own.pool, 'lock_inline_keys', 'pg_advisory_xact_lock(k.lock_key)', 'null')
  const tx = await begin(own)
  await store.append('s-1', Added({ key: 'a', amount: 1 }), { tx })
  const second = store.append('s-2', Added({ key: 'a', amount: 2 }))
  await until('the second to wait for the row', async () => {
    // Locks of transactions are the whole server's.
    const { rows } = await own.pool.query(/* sql */ `
      select from pg_stat_activity
      where datname = current_database() and wait_event in ('transactionid', 'spectoken')`)
    return rows.length > 0
  })
  await tx.query('commit')
  await second
  await expectHole(own)
})

test('without the look at insert ids, what SQL inserted before its turn is applied after its place', async () => {
  const own = await ownDatabase()
  const { store } = await openInline(own)
  const check = 'settle_inline_debts.drawn_before is not null'
  await breakFunction(own.pool, 'settle_inline_debts', check, 'false')
  const one = Added({ key: 'a', amount: 1 })
  await store.append('s-1', one, { key: 'once' })
  const tx = await begin(own)
  await tx.query(insertRow)
  await store.append('s-2', Added({ key: 'a', amount: 2 }))
  await store.append('s-1', one, { key: 'once', tx })
  await tx.query('commit')
  await expectHole(own)
})

test('without waiting for positions, a switch loses what is in the log', async () => {
  const own = await ownDatabase()
  const { store, folded } = await openInline(own)
  await store.setMode(folded, 'async')
  await own.pool.query(insertRow)
  const done = 'switch_inline.is_done := switch_inline.is_sequenced'
  await breakFunction(own.pool, 'switch_inline', done, `${done} or true or false`)
  await own.pool.query("select tidemark.switch_inline('sums', 1)")
  await expectHole(own)
})

test('without the lock of the log, a switch loses what is being appended', async () => {
  const own = await ownDatabase()
  const { store, folded } = await openInline(own)
  await store.setMode(folded, 'async')
  const lock = "pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint)"
  await breakFunction(own.pool, 'switch_inline', lock, 'null')
  const tx = await begin(own)
  await tx.query(insertRow)
  await store.setMode(folded, 'inline')
  await tx.query('commit')
  await expectHole(own)
})

test('without looking at the registry anew, an old snapshot loses what it appends', async () => {
  const own = await ownDatabase()
  const folded = byFold('sums')
  const store = await openStore(own, [folded])
  await breakFunction(own.pool, 'guard_events', 'for share;', ';')
  const tx = await begin(own, 'repeatable read')
  await tx.query('select from tidemark.events')
  await store.setMode(folded, 'inline')
  await tx.query(insertRow)
  await tx.query('commit')
  await expectHole(own)
})

test('without the guard of rows, what is left of an append writes rows of no event', async () => {
  const own = await ownDatabase()
  await openInline(own)
  await breakFunction(own.pool, 'guard_inline_rows', 'if exists', 'if false and exists')
  await own.pool.query("insert into sums_v1.sums values ('x', 1, 1, '', '[]')")
  await expectHole(own)
})

test('keys that cannot be told before an append are told after it, and are exact', async () => {
  const own = await ownDatabase()
  const Counted = event('counted').v(1, z.object({}))
  const parity = projection('parity', {
    version: 1,
    events: [Counted],
    canBeInline: true,
    tables: { counts: table({ key: text().primaryKey(), n: bigint() }) },
  }).fold('counts', {
    key: ({ version }) => ({ key: `${version % 2n}` }),
    on: { counted: (row) => ({ n: (row?.n ?? 0n) + 1n }) },
  })
  const stores = [await openStore(own, [parity]), await openStore(own, [parity])]
  await stores[0]?.setMode(parity, 'inline')
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      stores[i % 2]?.append(`c-${i % 4}`, { type: 'counted', schemaVersion: 1, data: {} }),
    ),
  )
  const { rows } = await own.pool.query('select key, n::integer from parity_v1.counts order by key')
  expect(rows).toEqual([
    { key: '0', n: 20 },
    { key: '1', n: 20 },
  ])
})
