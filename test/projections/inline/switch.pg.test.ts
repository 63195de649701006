import { expect, onTestFinished, test } from 'vitest'
import type { NewEvent } from '../../../src/core/event.ts'
import { onFailpoint } from '../../../src/core/failpoint.ts'
import { logNames } from '../../../src/db/log-names.ts'
import type { Store } from '../../../src/index.ts'
import { appendToStream } from '../../../src/store/append.ts'
import type { LogLine } from '../../sequencer/captured-log.ts'
import { dropLogSlots } from '../../sequencer/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { untilApplied } from '../fixtures.ts'
import { Added, byFold, byFoldAndBatch, Removed } from '../levels.ts'
import {
  begin,
  expectExact,
  foldLog,
  openStore,
  rowsOf,
  startWorker,
  untilSequenced,
} from './fixtures.ts'

const names = logNames()
const one = Added({ key: 'a', amount: 1 })
const insertRow = `insert into tidemark.events (stream_id, version, event_id, type, data)
  values ('raw-1', 1, gen_random_uuid(), 'added', '{"key": "a", "amount": 7}')`

async function ownDatabase(): Promise<TestDatabase> {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  onTestFinished(() => dropLogSlots(own.connectionString))
  return own
}

/** Appends without a pause, from several streams into a few rows, until stopped. */
function startWriters(stores: readonly Store[], own: TestDatabase, count = 4) {
  let isStopped = false
  let amounts = 0
  const failures: unknown[] = []
  const write = async (writer: number) => {
    const store = stores[writer % stores.length] ?? expect.fail()
    for (let i = 0; !isStopped; i += 1) {
      amounts += 1
      const define = amounts % 3 === 0 ? Removed : Added
      const event = define({ key: `k${amounts % 5}`, amount: amounts })
      if (i % 10 === 0) await joined(store, `w-${writer}-tx`, event)
      else await store.append(`w-${writer}-${i % 3}`, event)
    }
  }
  const joined = async (store: Store, streamId: string, event: NewEvent) => {
    const tx = await own.pool.connect()
    await tx.query('begin')
    await store.append(streamId, event, { tx })
    await tx.query(amounts % 2 === 0 ? 'commit' : 'rollback')
    tx.release()
  }
  const running = Array.from({ length: count }, (_, i) =>
    write(i).catch((error) => {
      failures.push(error)
    }),
  )
  const stop = async () => {
    isStopped = true
    await Promise.all(running)
    expect(failures).toEqual([])
  }
  onTestFinished(async () => {
    isStopped = true
    await Promise.all(running)
  })
  return { stop, written: () => amounts }
}

function levelsOf(lines: readonly LogLine[]): readonly string[] {
  return lines.map(({ level }) => level)
}

async function untilWritten(writers: { written(): number }, more: number): Promise<void> {
  const from = writers.written()
  await until(`${more} more appends`, () => writers.written() >= from + more, { timeoutMs: 20_000 })
}

test.each([
  ['poll', byFold],
  ['auto', byFold],
  ['poll', byFoldAndBatch],
] as const)(
  'a projection becomes inline and asynchronous 20 times while appends go on, mode %s',
  async (mode, define) => {
    const own = await ownDatabase()
    const projection = define('sums')
    const stores = await Promise.all([openStore(own, [projection]), openStore(own, [projection])])
    const [store = expect.fail()] = stores
    const { log } = startWorker(own, [projection], mode)
    await until('the version', async () => (await store.status()).subscriptions.length > 0)
    const writers = startWriters(stores, own)
    for (let i = 0; i < 10; i += 1) {
      await store.setMode(projection, 'inline')
      await untilWritten(writers, 20)
      await store.setMode(projection, 'async')
      await untilWritten(writers, 20)
    }
    await store.setMode(projection, 'inline')
    await writers.stop()
    await expectExact(own.pool, 'sums_v1')
    expect((await store.status()).subscriptions).toMatchObject([{ state: 'inline', lag: 0n }])
    // A switch is no reason to worry anybody.
    expect(levelsOf(log.withCode('CHECKPOINT_REGRESSED'))).not.toContain('warn')
  },
  120_000,
)

test('an inline projection is rebuilt, promoted and rolled back 20 times while appends go on', async () => {
  const own = await ownDatabase()
  const first = byFold('sums')
  const second = { ...byFold('sums'), version: 2 }
  const stores = await Promise.all([
    openStore(own, [first, second]),
    openStore(own, [first, second]),
  ])
  const [store = expect.fail()] = stores
  await store.setMode(first, 'inline')
  const { log } = startWorker(own, [first, second])
  const writers = startWriters(stores, own)
  await untilWritten(writers, 50)
  expect((await store.rebuild(second)).state).toBe('ready')
  await store.promote('sums')
  for (let i = 0; i < 9; i += 1) {
    await untilWritten(writers, 20)
    expect(await store.rollback('sums')).toMatchObject({ live: 1 })
    await untilWritten(writers, 20)
    expect(await store.promote('sums')).toMatchObject({ live: 2 })
  }
  await writers.stop()
  await expectExact(own.pool, 'sums_v2')
  await untilApplied(own.pool, first)
  expect(await rowsOf(own.pool, 'sums_v1')).toEqual(await foldLog(own.pool))
  const levels = levelsOf(log.withCode('CHECKPOINT_REGRESSED'))
  expect(levels).toContain('debug')
  expect(levels).not.toContain('warn')
  await expect(store.drop('sums', 2, { live: true })).rejects.toMatchObject({
    code: 'PROJECTION_STATE_INVALID',
  })
  await store.drop('sums', 1)
}, 120_000)

test('an inline version is compared where it stands, not where it became inline', async () => {
  const own = await ownDatabase()
  const first = byFold('sums')
  const second = { ...byFold('sums'), version: 2 }
  const store = await openStore(own, [first, second])
  await store.setMode(first, 'inline')
  await store.append('s-1', one)
  await expect(store.diff('sums', { to: 2 })).rejects.toMatchObject({
    code: 'PROJECTION_VERSION_UNKNOWN',
  })
  startWorker(own, [first, second])
  await store.rebuild(second)
  await store.append('s-1', one)
  const { position, isSame } = await store.diff('sums')
  expect({ position, isSame }).toEqual({ position: 2n, isSame: true })
})

test('an append that is open when the switch begins is waited for', async () => {
  const own = await ownDatabase()
  const projection = byFold('sums')
  const store = await openStore(own, [projection])
  startWorker(own, [projection])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  const plain = await begin(own)
  await plain.query(insertRow)
  const refused = store.setMode(projection, 'inline', { lockTimeoutMs: 20, maxAttempts: 3 })
  await expect(refused).rejects.toMatchObject({ code: 'LOCK_TIMED_OUT' })
  const switching = store.setMode(projection, 'inline')
  await plain.query('commit')
  await switching
  await store.append('s-1', one)
  await expectExact(own.pool, 'sums_v1')
})

test('an append that is prepared when the switch begins is waited for', async () => {
  const own = await ownDatabase()
  const projection = byFold('sums')
  const store = await openStore(own, [projection])
  startWorker(own, [projection])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  const id = `open-${own.name}`
  const plain = await begin(own)
  await plain.query(insertRow)
  await plain.query(`prepare transaction '${id}'`)
  const refused = store.setMode(projection, 'inline', { lockTimeoutMs: 20, maxAttempts: 3 })
  await expect(refused).rejects.toMatchObject({ code: 'LOCK_TIMED_OUT' })
  const switching = store.setMode(projection, 'inline')
  await own.pool.query(`commit prepared '${id}'`)
  await switching

  // And one that has applied what it appended is waited for on the way back.
  const inline = await begin(own)
  await store.append('s-1', one, { tx: inline })
  await inline.query(`prepare transaction '${id}'`)
  await expect(
    store.setMode(projection, 'async', { lockTimeoutMs: 20, maxAttempts: 3 }),
  ).rejects.toMatchObject({ code: 'LOCK_TIMED_OUT' })
  await own.pool.query(`commit prepared '${id}'`)
  await store.setMode(projection, 'async')
  await store.append('s-1', one)
  await untilSequenced(own.pool)
  await untilApplied(own.pool, projection)
  await expectExact(own.pool, 'sums_v1')
})

test.each(['repeatable read', 'serializable'])(
  'a transaction of isolation %s that began before a switch cannot append by the rules of then',
  async (isolation) => {
    const own = await ownDatabase()
    const projection = byFold('sums')
    const store = await openStore(own, [projection])
    const before = await begin(own, isolation)
    await before.query('select from tidemark.events')
    await store.setMode(projection, 'inline')
    await expect(before.query(insertRow)).rejects.toMatchObject({ code: '40001' })
    await before.query('rollback')

    const beforeBack = await begin(own, isolation)
    await beforeBack.query('select from tidemark.events')
    startWorker(own, [])
    await store.setMode(projection, 'async')
    await expect(beforeBack.query(insertRow)).rejects.toMatchObject({ code: '40001' })
    await beforeBack.query('rollback')

    // An attempt that failed leaves no trace.
    const current = await begin(own, isolation)
    await current.query(insertRow)
    await current.query('commit')
  },
)

test('without workers a switch is refused before appends have to wait', async () => {
  const own = await ownDatabase()
  const projection = byFold('sums')
  const store = await openStore(own, [projection])
  await appendToStream(own.pool, names, { streamId: 's-1', events: [one] })
  await expect(store.setMode(projection, 'inline', { maxAttempts: 2 })).rejects.toMatchObject({
    code: 'PROJECTION_BEHIND',
    message: expect.stringContaining('events have no positions yet: run a worker'),
  })
  const worker = startWorker(own, [])
  await until('positions', async () => (await store.status()).unsequenced === 0)
  await expect(store.setMode(projection, 'inline', { maxAttempts: 2 })).rejects.toMatchObject({
    code: 'PROJECTION_BEHIND',
    message: expect.stringContaining('run a worker that defines it'),
  })
  await worker.stop()
  await store.append('s-1', one)
})

test('a switch that dies on its way has changed nothing, and can be done again', async () => {
  const own = await ownDatabase()
  const projection = byFold('sums')
  const store = await openStore(own, [projection])
  startWorker(own, [projection])
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  onTestFinished(() => onFailpoint(() => {}))
  for (const mode of ['inline', 'async'] as const) {
    const before = mode === 'inline' ? 'active' : 'inline'
    onFailpoint((name) => {
      if (name === 'inline-switched') throw new Error('died')
    })
    await expect(store.setMode(projection, mode)).rejects.toThrow('died')
    expect((await store.status()).subscriptions).toMatchObject([{ state: before }])
    onFailpoint(() => {})
    await store.append('s-1', one)
    await store.setMode(projection, mode)
    await store.append('s-1', one)
  }
  await untilSequenced(own.pool)
  await untilApplied(own.pool, projection)
  await expectExact(own.pool, 'sums_v1')
})

test('an append that dies after it was applied has written neither event nor row', async () => {
  const own = await ownDatabase()
  const projection = byFold('sums')
  const store = await openStore(own, [projection])
  await store.setMode(projection, 'inline')
  onTestFinished(() => onFailpoint(() => {}))
  onFailpoint((name) => {
    if (name === 'inline-applied') throw new Error('died')
  })
  await expect(store.append('s-1', one)).rejects.toThrow('died')
  const tx = await begin(own)
  await expect(store.append('s-1', one, { tx })).rejects.toThrow('died')
  onFailpoint(() => {})
  await store.append('s-1', one, { tx })
  await tx.query('commit')
  startWorker(own, [])
  await expectExact(own.pool, 'sums_v1')
  expect(await rowsOf(own.pool, 'sums_v1')).toMatchObject([{ entries: 1 }])
})
