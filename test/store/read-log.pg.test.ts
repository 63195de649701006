import fc from 'fast-check'
import { Kysely, PostgresDialect } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SequencedEvent } from '../../src/core/recorded-event.ts'
import type { LogPage } from '../../src/store/read-log.ts'
import { createStore, type Store } from '../../src/worker/create-store.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { createTestDatabase, useDatabase } from '../support/database.ts'
import { Noted, newStream, noted } from './fixtures.ts'
import { type ModelEvent, matches, readModel } from './log-model.ts'
import { filters, writeMixedLog } from './mixed-log.ts'

const database = useDatabase()
let store: Store
let log: ModelEvent[]

beforeAll(async () => {
  await writeMixedLog(database, 7)
  log = await readModel(database.pool)
  store = await createStore({ connectionString: database.connectionString })
})

afterAll(() => store.close())

const raw = { unknownEvents: 'raw' } as const

function positions(events: readonly { readonly position: bigint }[]): bigint[] {
  return events.map(({ position }) => position)
}

test('pages of any size and the iterator read the same as a filter over the whole log', async () => {
  const bounds = fc.record(
    {
      after: fc.bigInt({ min: 0n, max: BigInt(log.length) + 5n }),
      upTo: fc.bigInt({ min: 0n, max: BigInt(log.length) + 5n }),
    },
    { requiredKeys: [] },
  )
  const sizes = fc.integer({ min: 1, max: 300 })
  await fc.assert(
    fc.asyncProperty(filters, bounds, sizes, async (filter, range, maxEvents) => {
      const { after = 0n, upTo = 2n ** 62n } = range
      const expected = log.filter(
        (event) => event.position > after && event.position <= upTo && matches(event, filter),
      )
      const options = { ...filter, ...range, ...raw, maxEvents }
      expect(positions(await Array.fromAsync(store.logEvents(options)))).toEqual(
        positions(expected),
      )
      expect(positions(await readPages(options))).toEqual(positions(expected))
    }),
    { numRuns: 60 },
  )
})

/** Reads page by page, as a client of HTTP does that knows nothing but the cursor. */
async function readPages(options: NonNullable<Parameters<Store['readLog']>[0]>) {
  const events = []
  let cursor: string | null = null
  do {
    const page: LogPage<SequencedEvent> = await store.readLog({ ...options, cursor })
    events.push(...page.events)
    cursor = page.next
  } while (cursor !== null)
  return events
}

test('a page ends at exactly the position that it is to end at', async () => {
  for (const { position: upTo } of log.slice(-12)) {
    for (const filter of [{}, { category: 'order' }, { recordedFrom: new Date(0) }]) {
      const expected = log.filter((event) => event.position <= upTo && matches(event, filter))
      const page = await store.readLog({ ...filter, ...raw, upTo })
      expect(positions(page.events)).toEqual(positions(expected))
      expect(page).toMatchObject({ position: upTo, next: null })
    }
  }
})

describe('an event of the log', () => {
  test('is read with everything that was stored', async () => {
    const streamId = newStream()
    const circumstances = { metadata: { userId: 'u' }, tags: ['x', 'ä"\\,{}'] }
    await store.append(streamId, Noted({ n: 42 }, circumstances))
    const position = await sequenceNow(database.pool)
    const page = await store.readLog({ after: position - 1n, ...raw })
    expect(page).toEqual({
      events: [
        {
          type: 'noted',
          data: { n: 42 },
          streamId,
          version: 1n,
          position,
          id: expect.any(String),
          schemaVersion: 1,
          metadata: { userId: 'u' },
          tags: ['x', 'ä"\\,{}'],
          recordedAt: expect.any(Date),
        },
      ],
      position,
      next: null,
    })
  })

  test('of no known type is an error that names type, stream and position', async () => {
    const [event] = log
    await expect(store.readLog({ maxEvents: 1 })).rejects.toMatchObject({
      code: 'EVENT_TYPE_UNKNOWN',
      details: { type: event?.type, streamId: event?.streamId, position: 1n },
    })
    await expect(store.logEvents().next()).rejects.toMatchObject({ code: 'EVENT_TYPE_UNKNOWN' })
  })

  test('is not read before it is sequenced, not even by its own transaction', async () => {
    const client = await database.client()
    await client.query('begin')
    const streamId = newStream('mine')
    await store.append(streamId, noted(1), { tx: client })
    expect((await store.readLog({ category: 'mine', tx: client, ...raw })).events).toEqual([])
    expect(await store.readStream(streamId, { tx: client, ...raw })).toHaveLength(1)
    await client.query('rollback')
    await client.end()
  })
})

describe('the end of a page', () => {
  test('says how far the log was read, whether it matched or not', async () => {
    const head = positions(log).at(-1) ?? 0n
    const page = await store.readLog({ types: ['unheard-of'], ...raw })
    expect(page.events).toEqual([])
    expect(page.position).toBeGreaterThanOrEqual(head)
    expect(page.next).toBeNull()
    expect(await store.readLog({ types: ['unheard-of'], upTo: 5n })).toEqual({
      events: [],
      position: 5n,
      next: null,
    })
  })

  test('is where it began when it begins beyond the log', async () => {
    const after = 2n ** 63n - 1n
    expect(await store.readLog({ after })).toEqual({ events: [], position: after, next: null })
  })
})

describe('a read of the log', () => {
  test('joins the transaction of a pg client and of Kysely, and sees its snapshot', async () => {
    await using other = await createTestDatabase()
    await using own = await createStore({
      connectionString: other.connectionString,
      events: [Noted],
    })
    const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: other.pool }) })
    const client = await other.client()
    await client.query('begin isolation level repeatable read')
    expect((await own.readLog({ tx: client })).events).toEqual([])
    await own.append('note-1', noted(1))
    await sequenceNow(other.pool)

    expect((await own.readLog({ tx: client })).events).toEqual([])
    expect((await own.readLog()).events).toHaveLength(1)
    await client.query('commit')
    await kysely.transaction().execute(async (tx) => {
      const { events } = await own.readLog({
        tx,
        category: 'note',
        recordedTo: new Date('9999-01-01'),
      })
      expect(events).toMatchObject([{ data: { n: 1 }, position: 1n, version: 1n }])
      expect(await Array.fromAsync(own.logEvents({ tx }))).toEqual(events)
    })
    await client.end()
  })

  test.each([
    [{ cursor: '' }, 'cursor'],
    [{ cursor: '-1' }, 'cursor'],
    [{ cursor: '1.5' }, 'cursor'],
    [{ cursor: '01' }, 'cursor'],
    [{ cursor: "1'; drop table tidemark.events --" }, 'cursor'],
    [{ cursor: '9223372036854775808' }, 'cursor'],
    [{ after: -1n }, 'after'],
    [{ after: 2n ** 63n }, 'after'],
    [{ upTo: -1n }, 'upTo'],
    [{ maxEvents: 0 }, 'maxEvents'],
    [{ maxEvents: -1 }, 'maxEvents'],
    [{ maxEvents: 1.5 }, 'maxEvents'],
    [{ maxEvents: 1_000_000_000 }, 'maxEvents'],
    [{ category: '' }, 'category'],
    [{ category: 'a\0' }, 'category'],
    [{ types: ['a', '\ud800'] }, 'types'],
    [{ tags: ['\0'] }, 'tags'],
    [{ correlationId: 'x'.repeat(501) }, 'correlationId'],
    [{ recordedFrom: new Date(Number.NaN) }, 'recordedFrom'],
    [{ recordedTo: new Date(8.64e15) }, 'recordedTo'],
  ])('refuses %o', async (options, option) => {
    const refused = { code: 'OPTION_INVALID', details: { option } }
    await expect(store.readLog(options)).rejects.toMatchObject(refused)
    if ('cursor' in options) return
    await expect(store.logEvents(options).next()).rejects.toMatchObject(refused)
  })

  test.each(['types', 'tags'])('refuses %s that are not a list', async (option) => {
    await expect(store.readLog({ [option]: 'paid' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { option },
    })
  })

  test('refuses a position that is not a bigint', async () => {
    const after = 5 as unknown as bigint
    await expect(store.readLog({ after })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('is of one log only, where a database holds several', async () => {
    const { connectionString } = database
    await migrate({ connectionString, schema: 'second', jobSchema: false })
    await using second = await createStore({ connectionString, schema: 'second', events: [Noted] })
    const id = crypto.randomUUID()
    await second.append('order-1', Noted({ n: 1 }, { id, metadata: { correlationId: 'c-1' } }))
    await sequenceNow(database.pool, 'second')
    for (const filter of [{}, { category: 'order' }, { correlationId: 'c-1' }]) {
      expect((await second.readLog(filter)).events).toMatchObject([{ id, position: 1n }])
    }
    expect(await second.readEffects(id)).toEqual([])
  })

  test('ends when it is aborted', async () => {
    const reason = new Error('the client has gone')
    const signal = AbortSignal.abort(reason)
    await expect(store.readLog({ ...raw, signal })).rejects.toBe(reason)
  })

  test('stops rather than skip when the table holds fewer events than the ledger', async () => {
    const client = await database.client()
    await client.query('begin; set local session_replication_role = replica')
    const [, second] = log
    await client.query('delete from tidemark.events where stream_id = $1 and version = $2', [
      second?.streamId,
      second?.version.toString(),
    ])
    await expect(store.readLog({ ...raw, tx: client })).rejects.toMatchObject({
      code: 'LOG_INCONSISTENT',
    })
    await client.query('rollback')
    await client.end()
  })
})
