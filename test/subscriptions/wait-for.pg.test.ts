import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { reactor } from '../../src/jobs/reactor.ts'
import { projection } from '../../src/projections/projection.ts'
import { integer, text } from '../../src/projections/tables/column.ts'
import { table } from '../../src/projections/tables/table.ts'
import { createStore, type Store } from '../../src/worker/create-store.ts'
import { runWorker } from '../../src/worker/worker.ts'
import { type Background, inBackground } from '../sequencer/background.ts'
import { dropLogSlots, readLedger } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

const Counted = event('counted').v(1, z.object({ key: z.string() }))

const counts = projection('counts', {
  version: 1,
  events: [Counted],
  tables: { counts: table({ key: text().primaryKey(), n: integer() }) },
}).fold('counts', {
  key: ({ data }) => ({ key: data.key }),
  on: {
    counted: (row, { data }) => {
      if (data.key === 'forbidden') throw new Error('forbidden')
      return { n: (row?.n ?? 0) + 1 }
    },
  },
})

const unknown = projection('unknown', {
  version: 1,
  events: [Counted],
  tables: { counts: table({ key: text().primaryKey(), n: integer() }) },
})

const silent = reactor('silent', { events: [Counted], on: { counted: () => null } })

let writer: Store
let reader: Store
let worker: Background | undefined

beforeAll(async () => {
  const { connectionString } = database
  writer = await createStore({ connectionString, events: [Counted] })
  reader = await createStore({ connectionString, events: [Counted] })
})

afterAll(async () => {
  await worker?.stop()
  await Promise.all([writer?.close(), reader?.close()])
  await dropLogSlots(database.connectionString)
})

async function startWorker(): Promise<void> {
  worker ??= inBackground((signal) =>
    runWorker(
      {
        connectionString: database.connectionString,
        projections: [counts],
        reactors: [silent],
        maxAttempts: 1,
        pollIntervalMs: 50,
      },
      signal,
    ),
  )
  await until('the projection to exist', async () => {
    const { subscriptions } = await reader.status()
    return subscriptions.length === 2
  })
}

async function stopWorker(): Promise<void> {
  await worker?.stop()
  worker = undefined
}

test('gives up when nobody sequences, and says that the worker may be missing', async () => {
  const { token } = await writer.append('wait-1', Counted({ key: 'a' }))
  const began = performance.now()
  await expect(reader.waitFor(token, undefined, { timeoutMs: 300 })).rejects.toMatchObject({
    code: 'WAIT_TIMED_OUT',
    details: { timeoutMs: 300, waitingFor: 'the sequencer' },
    message: expect.stringContaining('is a worker running?'),
  })
  expect(performance.now() - began).toBeGreaterThanOrEqual(299)
})

test('names the subscription when no worker has begun it in time', async () => {
  const { token } = await writer.append('wait-1', Counted({ key: 'a' }))
  for (const target of [unknown, silent]) {
    await expect(reader.waitFor(token, target, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'SUBSCRIPTION_UNKNOWN',
      message: expect.stringContaining(`"${target.name}"`),
    })
  }
})

test('waits from another store for a commit that is not sequenced yet', async () => {
  const { token } = await writer.append('wait-2', Counted({ key: 'b' }))
  const waiting = reader.waitFor(token, undefined, { timeoutMs: 10_000 })
  await startWorker()
  const position = await waiting
  const id = token.split('.')[1]
  const ledger = await readLedger(database.pool)
  expect(ledger.find((row) => row.transactionId === id)?.position).toBe(position)
})

test('what was waited for can be read from another store', async () => {
  await startWorker()
  for (let n = 1; n <= 50; n += 1) {
    const { token } = await writer.append('wait-3', Counted({ key: 'read-your-write' }))
    const query = await reader.query(counts, { after: token })
    const row = await query
      .selectFrom('counts')
      .select('n')
      .where('key', '=', 'read-your-write')
      .executeTakeFirst()
    expect(row?.n).toBe(n)
  }
  const { token } = await writer.append('wait-3', Counted({ key: 'c' }))
  expect(await reader.waitFor(token, silent)).toBe(await reader.waitFor(token, counts))
})

test('a token of an open transaction is waited for until the commit', async () => {
  await startWorker()
  const client = await database.client()
  await client.query('begin')
  const { token } = await writer.append('wait-4', Counted({ key: 'd' }), { tx: client })
  let reached = false
  const waiting = reader.waitFor(token, counts, { timeoutMs: 10_000 }).then((position) => {
    reached = true
    return position
  })
  // Long enough for the wait to have asked for the fate of the transaction.
  const { token: other } = await writer.append('wait-5', Counted({ key: 'd' }))
  await reader.waitFor(other, counts)
  await until('some 400 ms to pass', elapsed(400))
  expect(reached).toBe(false)
  await client.query('commit')
  expect(await waiting).toBeGreaterThan(0n)
})

test('a transaction that was rolled back is reported as such', async () => {
  await startWorker()
  const client = await database.client()
  await client.query('begin')
  const { token } = await writer.append('wait-6', Counted({ key: 'e' }), { tx: client })
  await client.query('rollback')
  const began = performance.now()
  await expect(reader.waitFor(token, counts)).rejects.toMatchObject({
    code: 'TRANSACTION_NOT_COMMITTED',
    details: { token, status: 'aborted' },
  })
  expect(performance.now() - began).toBeLessThan(2_000)
})

test('a transaction that is rolled back while it is waited for is reported as such', async () => {
  await startWorker()
  const client = await database.client()
  await client.query('begin')
  const { token } = await writer.append('wait-6', Counted({ key: 'e' }), { tx: client })
  const waiting = reader.waitFor(token, counts, { timeoutMs: 3_000 })
  waiting.catch(() => {})
  await until('some 600 ms to pass', elapsed(600))
  await client.query('rollback')
  await expect(waiting).rejects.toMatchObject({ code: 'TRANSACTION_NOT_COMMITTED' })
})

test('a short wait for a transaction that was rolled back says so too', async () => {
  const client = await database.client()
  await client.query('begin')
  const { token } = await writer.append('wait-6', Counted({ key: 'e' }), { tx: client })
  await client.query('rollback')
  await expect(reader.waitFor(token, undefined, { timeoutMs: 20 })).rejects.toMatchObject({
    code: 'TRANSACTION_NOT_COMMITTED',
  })
})

test('a transaction that the server does not know was not committed', async () => {
  await expect(reader.waitFor('1.999999999999')).rejects.toMatchObject({
    code: 'TRANSACTION_NOT_COMMITTED',
  })
})

test.for([
  '',
  '1',
  '1.',
  '.1',
  '0.1',
  'a.b',
  '1.1.1',
  '1.-1',
  ' 1.1',
  '1.1\n',
  '100000.1',
  '99999.1',
  '32768.1',
  '1.18446744073709551616',
  '1.99999999999999999999',
  "1.1'; drop table tidemark.events; --",
])('refuses %j as a token', async (token) => {
  await expect(reader.waitFor(token)).rejects.toMatchObject({
    code: 'TOKEN_INVALID',
    details: { token },
  })
})

test('stops waiting when it is aborted', async () => {
  await stopWorker()
  const { token } = await writer.append('wait-7', Counted({ key: 'f' }))
  const controller = new AbortController()
  const waiting = reader.waitFor(token, undefined, {
    signal: controller.signal,
    timeoutMs: 20_000,
  })
  const began = performance.now()
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
  expect(performance.now() - began).toBeLessThan(2_000)
  await expect(
    reader.waitFor(token, undefined, { signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
})

test('a subscription that stands still is reported at once, with its reason', async () => {
  await startWorker()
  const { token: before } = await writer.append('wait-8', Counted({ key: 'g' }))
  await reader.waitFor(before, counts)
  const { token } = await writer.append('wait-8', Counted({ key: 'forbidden' }))
  await expect(reader.waitFor(token, counts)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_FAILED',
    message: expect.stringContaining('forbidden'),
  })
  const began = performance.now()
  await expect(reader.query(counts, { after: token })).rejects.toMatchObject({
    code: 'SUBSCRIPTION_FAILED',
  })
  expect(performance.now() - began).toBeLessThan(1_000)
  // What it had applied before it stopped is still there.
  expect(await reader.waitFor(before, counts)).toBeGreaterThan(0n)
  expect(await reader.waitFor(token, silent)).toBeGreaterThan(0n)
})

function elapsed(ms: number): () => boolean {
  const end = performance.now() + ms
  return () => performance.now() >= end
}
