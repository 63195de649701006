import { afterAll, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { projection } from '../../src/projections/projection.ts'
import { integer, text } from '../../src/projections/tables/column.ts'
import { table } from '../../src/projections/tables/table.ts'
import { runWorker, type WorkerOptions } from '../../src/worker/worker.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { append, dropLogSlots, untilSequenced } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { readSubscription, untilAt } from './log-fixture.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

const Counted = event('counted').v(1, z.object({ key: z.string() }))
const Odd = event('odd').v(1, z.object({ key: z.string() }))

/** Counts events; `refuse` may throw. */
function counts(name: string, refuse: (key: string) => void = () => {}) {
  return projection(name, {
    version: 1,
    events: [Counted, Odd],
    tables: { counts: table({ key: text().primaryKey(), n: integer() }) },
  }).fold('counts', {
    key: ({ data }) => ({ key: data.key }),
    on: {
      counted: (row) => ({ n: (row?.n ?? 0) + 1 }),
      odd: (row, { data }) => {
        refuse(data.key)
        return { n: (row?.n ?? 0) + 1 }
      },
    },
  })
}

function startWorker(options: Partial<WorkerOptions>) {
  const log = captureLog()
  const worker = inBackground((signal) =>
    runWorker(
      {
        connectionString: database.connectionString,
        logger: log,
        pollIntervalMs: 50,
        maxAttempts: 3,
        batchSize: 10,
        ...options,
      },
      signal,
    ),
  )
  onTestFinished(() => worker.stop())
  return { ...worker, log }
}

async function readCounts(name: string): Promise<Record<string, number>> {
  const { rows } = await database.pool.query(`select key, n from ${name}.counts order by key`)
  return Object.fromEntries(rows.map((row) => [row.key, row.n]))
}

const counted = (key: string) => ({ type: 'counted', data: { key } })
const odd = (key: string) => ({ type: 'odd', data: { key } })

/** Waits until a transaction is sequenced. @returns its last position. */
async function sequenced(id: string): Promise<bigint> {
  return (await untilSequenced(database.pool, id)).position
}

test('a handler that throws for good stops its projection, clearly, and no other', async () => {
  let calls = 0
  const broken = counts('broken', (key) => {
    calls += 1
    throw new RangeError(`no room for ${key}`)
  })
  const worker = startWorker({ projections: [broken, counts('whole')] })
  const before = await sequenced(
    await append(database.pool, 'stream', [counted('a'), counted('b')]),
  )
  await untilAt(database.pool, 'broken', before)
  const bad = await sequenced(await append(database.pool, 'stream', [counted('a'), odd('b')]))
  const after = await sequenced(await append(database.pool, 'stream', [counted('c')]))
  await untilAt(database.pool, 'whole', after)
  const row = await until('the failure to be recorded', async (saw) => {
    const found = await readSubscription(database.pool, 'broken')
    saw(found)
    return found?.state === 'failed' && found
  })

  // Three times with its chunk, then alone.
  expect(calls).toBe(4)
  const message = `projection "broken" version 1 failed on event "odd" of stream "stream" at position ${bad}: no room for b`
  expect(row).toEqual({
    position: bad - 1n,
    state: 'failed',
    error: { code: 'HANDLER_FAILED', message, position: `${bad}`, type: 'odd', streamId: 'stream' },
  })
  const errors = worker.log.at('error')
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatchObject({ code: 'HANDLER_FAILED' })
  expect(errors[0]?.message).toContain(message)
  // Of the handler, whatever the logger writes of an error.
  expect(errors[0]?.fields.stack).toMatch(
    /^RangeError: no room for b\n +at .*failure\.pg\.test\.ts/,
  )
  expect(await readCounts('broken')).toEqual({ a: 2, b: 1 })
  expect(await readCounts('whole')).toEqual({ a: 2, b: 2, c: 1 })

  await worker.stop()
  startWorker({ projections: [counts('broken'), counts('whole')] })
  await untilAt(database.pool, 'broken', after)
  expect(await readCounts('broken')).toEqual({ a: 2, b: 2, c: 1 })
  expect(await readCounts('whole')).toEqual({ a: 2, b: 2, c: 1 })
  expect(await readSubscription(database.pool, 'broken')).toMatchObject({
    state: 'active',
    error: null,
  })
})

test('a handler that throws twice is tried again, and what it did before counts once', async () => {
  let throws = 2
  const shaky = counts('shaky', () => {
    throws -= 1
    if (throws >= 0) throw new Error('not now')
  })
  const worker = startWorker({ projections: [shaky] })
  const events = [counted('x'), odd('x'), counted('y'), odd('y')]
  const position = await sequenced(await append(database.pool, 'shaky', events))
  await untilAt(database.pool, 'shaky', position)

  expect(throws).toBeLessThan(0)
  const { x, y } = await readCounts('shaky')
  expect({ x, y }).toEqual({ x: 2, y: 2 })
  expect(worker.log.at('error')).toEqual([])
  expect(worker.log.withCode('HANDLER_FAILED').map((line) => line.level)).toEqual(['warn', 'warn'])
  expect(await readSubscription(database.pool, 'shaky')).toMatchObject({ error: null })
})

test.for([
  ['a TypeError', new TypeError('x is undefined'), 'x is undefined'],
  ['a text', 'only a text', 'only a text'],
  ['nothing', undefined, 'undefined'],
] as const)(
  'a handler that throws %s fails its projection with the event',
  async ([name, thrown, reason]) => {
    const key = `thrown_${name.replaceAll(/\W/g, '').toLowerCase()}`
    const broken = counts(key, (of) => {
      if (of === key) throw thrown
    })
    const worker = startWorker({ projections: [broken], maxAttempts: 2 })
    const bad = await sequenced(await append(database.pool, 'thrown', [odd(key)]))
    const row = await until('the failure to be recorded', async () => {
      const found = await readSubscription(database.pool, key)
      return found?.state === 'failed' && found
    })
    expect(row.error).toMatchObject({
      code: 'HANDLER_FAILED',
      position: `${bad}`,
      message: expect.stringContaining(reason),
    })
    expect(worker.log.at('warn').filter((line) => line.code === 'HANDLER_FAILED')).toHaveLength(2)
  },
)

test('a value that its column cannot hold fails the projection with the reason', async () => {
  const overflowing = projection('overflowing', {
    version: 1,
    events: [Odd],
    tables: { counts: table({ key: text().primaryKey(), n: integer() }) },
  }).fold('counts', {
    key: ({ data }) => ({ key: data.key }),
    on: { odd: (_, { data }) => ({ n: data.key === 'huge' ? 2 ** 40 : 1 }) },
  })
  startWorker({ projections: [overflowing], maxAttempts: 2 })
  const fine = Array.from({ length: 6 }, (_, i) => odd(`fine-${i}`))
  const bad = await sequenced(await append(database.pool, 'huge', [...fine, odd('huge')]))
  const row = await until('the failure to be recorded', async (saw) => {
    const found = await readSubscription(database.pool, 'overflowing')
    saw(found)
    return found?.state === 'failed' && found
  })
  expect(row.error).toMatchObject({
    code: 'HANDLER_FAILED',
    position: `${bad}`,
    type: 'odd',
    streamId: 'huge',
    message: expect.stringContaining('column "n": integer does not reach'),
  })
  expect(row.position).toBe(bad - 1n)
  // What comes before it is applied.
  expect(await readCounts('overflowing')).toMatchObject(
    Object.fromEntries(fine.map(({ data }) => [data.key, 1])),
  )
  expect(await readCounts('overflowing')).not.toHaveProperty('huge')
})

test('an event that newer code wrote stops the projection instead of being skipped', async () => {
  const worker = startWorker({ projections: [counts('older')], maxAttempts: 2 })
  const good = await sequenced(await append(database.pool, 'older', [counted('old')]))
  await untilAt(database.pool, 'older', good)
  const newer = { type: 'counted', data: { name: 'renamed' }, schemaVersion: 2 }
  const bad = await sequenced(await append(database.pool, 'older', [newer]))
  const row = await until('the failure to be recorded', async () => {
    const found = await readSubscription(database.pool, 'older')
    return found?.state === 'failed' && found
  })
  expect(row.position).toBe(good)
  expect(row.error).toMatchObject({
    position: `${bad}`,
    message: expect.stringContaining('schema version 2, this code knows up to 1'),
  })
  await worker.stop()
})
