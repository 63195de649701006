import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { decider } from '../../src/core/decider.ts'
import { event, type NewEvent } from '../../src/core/event.ts'
import { eventRegistry } from '../../src/core/event-registry.ts'
import type { Rejection } from '../../src/core/rejection.ts'
import { parseToken, type Token } from '../../src/core/token.ts'
import { createPool } from '../../src/db/connect.ts'
import { type DeciderStore, deciderStore } from '../../src/store/decider-store.ts'
import { type EventStore, eventStore } from '../../src/store/event-store.ts'
import { retryDelayMs } from '../../src/store/retry-delay.ts'
import { useDatabase } from '../support/database.ts'
import { ofThisDatabase } from '../support/of-this-database.ts'
import { until } from '../support/until.ts'
import { newId, openDeciderStore } from './decider-fixture.ts'
import { Account, account, Deposited, Opened, Withdrawn } from './deciders.ts'
import { names } from './fixtures.ts'

const database = useDatabase()
let pool: pg.Pool
let store: EventStore & DeciderStore

beforeAll(() => {
  pool = createPool({ connectionString: database.connectionString, max: 20 })
  store = openDeciderStore(pool)
})

afterAll(() => pool.end())

async function typesOf(id: string): Promise<string[]> {
  const events = await store.readStream(`account-${id}`)
  return events.map(({ type }) => type)
}

describe('a command', () => {
  test('appends the event that it decides on, and tells version and token', async () => {
    const id = newId()
    const result = await store.execute(Account, id, 'open', { owner: 'Ada' })
    expect(result).toEqual({
      ok: true,
      events: [{ ...Opened({ owner: 'Ada' }), id: expect.any(String) }],
      version: 1n,
      token: expect.any(String),
      replayed: false,
    })
    const [recorded] = await store.readStream(`account-${id}`)
    expect(recorded).toMatchObject({
      data: { owner: 'Ada' },
      id: result.ok && result.events[0]?.id,
    })
  })

  test('may decide on several events, which are appended together', async () => {
    const id = newId()
    await store.execute(Account, id, 'open', { owner: 'Ada' })
    const result = await store.execute(Account, id, 'move', [1, 2, 3])
    expect(result).toMatchObject({ ok: true, version: 4n })
    const { rows } = await pool.query(
      'select count(distinct transaction_id) as n from tidemark.events where stream_id = $1 and version > 1',
      [`account-${id}`],
    )
    expect(rows).toEqual([{ n: '1' }])
  })

  test('may decide on nothing, and then tells the last transaction that it has seen', async () => {
    const id = newId()
    expect(await store.execute(Account, id, 'close')).toEqual({
      ok: true,
      events: [],
      version: 0n,
      token: null,
      replayed: false,
    })
    const opened = await store.execute(Account, id, 'open', { owner: 'Ada' })
    const closed = await store.execute(Account, id, 'close')
    expect(closed).toMatchObject({ ok: true, events: [], version: 1n, token: opened.token })
    expect(await typesOf(id)).toEqual(['account.opened'])
  })

  test('that is refused writes nothing and gives code and details', async () => {
    const id = newId()
    const empty = await store.execute(Account, id, 'move', [1])
    expect(empty).toEqual({
      ok: false,
      rejection: { kind: 'rejection', code: 'not-open', details: undefined },
      version: 0n,
      token: null,
    })
    const opened = await store.execute(Account, id, 'open', { owner: 'Ada' })
    expect(await store.execute(Account, id, 'open', { owner: 'Bob' })).toEqual({
      ok: false,
      rejection: { kind: 'rejection', code: 'already-open', details: { owner: 'Ada' } },
      version: 1n,
      token: opened.token,
    })
    expect(await typesOf(id)).toEqual(['account.opened'])
  })

  test('decides on the newest shape of what older code wrote', async () => {
    const id = newId()
    const old = { type: 'account.deposited', schemaVersion: 1, data: { euros: 1.5 } }
    await store.append(`account-${id}`, old)
    expect(await store.execute(Account, id, 'withdraw', 151)).toMatchObject({ ok: false })
    expect(await store.execute(Account, id, 'withdraw', 150)).toMatchObject({ ok: true })
  })

  test('that throws, throws what it threw, and writes nothing', async () => {
    const id = newId()
    const cause = new Error('a defect')
    const Faulty = decider('account', {
      ...account,
      commands: {
        fail: () => {
          throw cause
        },
      },
    })
    await expect(store.execute(Faulty, id, 'fail')).rejects.toBe(cause)
    expect(await typesOf(id)).toEqual([])
  })

  test('writes no event that the decider could not load again', async () => {
    const Dated = event('diary.written').v(1, z.object({ at: z.date() }))
    const Diary = decider('diary', {
      events: [Dated],
      initial: () => ({ year: 0 }),
      // In memory it is a Date; in the log it is text.
      evolve: { 'diary.written': (_, e) => ({ year: e.data.at.getUTCFullYear() }) },
      commands: { write: () => Dated({ at: new Date(0) }) },
    })
    await expect(store.execute(Diary, newId(), 'write')).rejects.toThrow(TypeError)
    const { rows } = await pool.query(`select from tidemark.events where stream_id ~ '^diary-'`)
    expect(rows).toEqual([])
  })

  test('that decides on what JSON cannot hold is refused as an append is', async () => {
    const Counted = event('counted').v(1, z.object({ n: z.bigint() }))
    const Counter = decider('counter', {
      events: [Counted],
      initial: () => ({}),
      evolve: { counted: (s) => s },
      commands: { count: () => Counted({ n: 1n }) },
    })
    await expect(store.execute(Counter, newId(), 'count')).rejects.toMatchObject({
      code: 'EVENT_DATA_INVALID',
    })
  })

  test.each([
    [
      'an event of another type',
      () => ({ type: 'noted', schemaVersion: 1, data: {} }),
      /"noted" is/,
    ],
    [
      'an event of an older shape',
      () => ({ ...Deposited({ cents: 1 }), schemaVersion: 1 }),
      /made/,
    ],
    ['a promise', async () => [], /promise/],
    ['nothing', () => undefined, /nothing is \[\]/],
    ['a number', () => 7, /neither/],
    ['an array with something else', () => [Opened({ owner: 'a' }), null], /neither/],
  ])('that returns %s is a defect that is named', async (_, command, reason) => {
    const id = newId()
    const Faulty = decider('account', { ...account, commands: { fail: command as () => [] } })
    await expect(store.execute(Faulty, id, 'fail')).rejects.toMatchObject({
      code: 'DECISION_INVALID',
      message: expect.stringMatching(reason),
      details: { decider: 'account', command: 'fail' },
    })
    expect(await typesOf(id)).toEqual([])
  })

  test.each(['shut', 'constructor', 'toString'])(
    'called %s that there is not, is named',
    async (name) => {
      await expect(
        store.execute(Account, newId(), name as 'open', { owner: '' }),
      ).rejects.toMatchObject({
        code: 'COMMAND_UNKNOWN',
        details: {
          decider: 'account',
          command: name,
          known: ['open', 'deposit', 'withdraw', 'move', 'close'],
        },
      })
    },
  )

  test('for a stream of no id is refused', async () => {
    await expect(store.execute(Account, '', 'close')).rejects.toMatchObject({
      code: 'STREAM_ID_INVALID',
    })
  })

  test('on a stream that holds an event of another decider is an error that names it', async () => {
    const id = newId()
    await store.append(`account-${id}`, [
      Opened({ owner: 'Ada' }),
      { type: 'order.placed', schemaVersion: 1, data: {} },
    ])
    await expect(store.execute(Account, id, 'close')).rejects.toMatchObject({
      code: 'EVENT_TYPE_UNKNOWN',
      message: `no definition for event type "order.placed" of stream "account-${id}" version 2 (not sequenced yet): add it to the events of decider "account"`,
    })
  })

  test('passes circumstances on to its events', async () => {
    const id = newId()
    const metadata = { userId: 'u-1' }
    const first = await store.execute(Account, id, 'open', { owner: 'Ada' }, { metadata })
    const cause = first.ok ? first.events[0] : undefined
    const causedBy = { id: cause?.id ?? '', metadata: { correlationId: 'r-1' } }
    const second = await store.execute(Account, id, 'deposit', 5, { causedBy, metadata })
    const shared = { userId: 'u-1', correlationId: 'r-1', causationId: cause?.id }
    expect(second).toMatchObject({ events: [{ metadata: shared }] })
    const stored = await store.readStream(`account-${id}`)
    expect(stored.map((recorded) => recorded.metadata)).toEqual([metadata, shared])
  })
})

describe('the result of a command', () => {
  test('is typed by its decider and command', async () => {
    const opened = await store.execute(Account, newId(), 'open', { owner: 'Ada' })
    expectTypeOf(opened.token).toEqualTypeOf<Token | null>()
    expectTypeOf(opened.version).toEqualTypeOf<bigint>()
    if (opened.ok) {
      expectTypeOf(opened.events).toEqualTypeOf<
        readonly (
          | NewEvent<'account.opened', { owner: string }>
          | NewEvent<'account.deposited', { cents: number }>
          | NewEvent<'account.withdrawn', { cents: number }>
        )[]
      >()
    } else {
      expectTypeOf(opened.rejection).toEqualTypeOf<
        Rejection<'already-open', { readonly owner: string }>
      >()
    }
    const closed = await store.execute(Account, newId(), 'close')
    expectTypeOf(closed.ok).toEqualTypeOf<true>()

    const refused = () => {
      // @ts-expect-error there is no such command
      void store.execute(Account, '1', 'shut')
      // @ts-expect-error the input is missing
      void store.execute(Account, '1', 'deposit')
      // @ts-expect-error the input is another
      void store.execute(Account, '1', 'deposit', '5')
      // @ts-expect-error there is no input
      void store.execute(Account, '1', 'close', 5)
    }
    expectTypeOf(refused).returns.toBeVoid()
  })
})

describe('commands that race', () => {
  /** Opens a transaction that has appended to a stream and holds its lock. */
  async function holdStream(streamId: string, appended: NewEvent) {
    const client = await database.client()
    onTestFinished(() => client.end())
    await client.query('begin')
    await store.append(streamId, appended, { tx: client })
    return client
  }

  async function untilSomebodyWaits(): Promise<void> {
    await until('a writer to wait for the stream', async (saw) => {
      const { rows } = await database.pool.query(
        `select count(*)::integer as n from pg_locks where locktype = 'advisory' and not granted
          and ${ofThisDatabase}`,
      )
      saw(rows)
      return rows[0].n > 0
    })
  }

  test('decide again on what the other has written', async () => {
    const id = newId()
    await store.execute(Account, id, 'deposit', 100)
    const other = await holdStream(`account-${id}`, Withdrawn({ cents: 80 }))
    const seen: number[] = []
    const Watched = decider('account', {
      ...account,
      commands: {
        withdraw: (s, cents: number) => {
          seen.push(s.cents)
          return Account.commands.withdraw(s, cents)
        },
      },
    })
    const late = store.execute(Watched, id, 'withdraw', 50)
    await untilSomebodyWaits()
    await other.query('commit')
    expect(await late).toMatchObject({
      ok: false,
      rejection: { code: 'short-of', details: { cents: 30 } },
    })
    expect(seen).toEqual([100, 20])
  })

  test('go on when the other rolls back', async () => {
    const id = newId()
    await store.execute(Account, id, 'deposit', 100)
    const other = await holdStream(`account-${id}`, Withdrawn({ cents: 80 }))
    const late = store.execute(Account, id, 'withdraw', 50)
    await untilSomebodyWaits()
    await other.query('rollback')
    expect(await late).toMatchObject({ ok: true, version: 2n })
  })

  test('throw the conflict after the last attempt', async () => {
    const id = newId()
    const other = await holdStream(`account-${id}`, Opened({ owner: 'Bob' }))
    const late = store.execute(Account, id, 'deposit', 1, { maxAttempts: 1 })
    const refused = expect(late).rejects.toMatchObject({
      code: 'STREAM_VERSION_CONFLICT',
      details: { actualVersion: 1n, expectedVersion: '0' },
    })
    await untilSomebodyWaits()
    await other.query('commit')
    await refused
  })

  test('never overdraw, and all are carried out, in one process or in several', async () => {
    const id = newId()
    const stores = [store, openDeciderStore(pool), openDeciderStore(pool)]
    await store.execute(Account, id, 'deposit', 50)
    const results = await Promise.all(
      Array.from({ length: 120 }, (_, n) => stores[n % 3]?.execute(Account, id, 'withdraw', 1)),
    )
    expect(results.filter((result) => result?.ok).length).toBe(50)
    expect((await store.load(Account, id)).state).toMatchObject({ cents: 0, movements: 51 })
  })

  test('take turns within a process, so that none decides for nothing', async () => {
    const id = newId()
    let decisions = 0
    const Counting = decider('account', {
      ...account,
      commands: {
        deposit: () => {
          decisions += 1
          return Deposited({ cents: 1 })
        },
      },
    })
    const options = { maxAttempts: 1 }
    const calls = Array.from({ length: 30 }, () =>
      store.execute(Counting, id, 'deposit', undefined, options),
    )
    const versions = (await Promise.all(calls)).map(({ version }) => version)
    expect(versions).toEqual(Array.from({ length: 30 }, (_, n) => BigInt(n + 1)))
    expect(decisions).toBe(30)
  })

  test('do not wait for a command within a transaction of their own process', async () => {
    const [id, other] = [newId(), newId()]
    const client = await database.client()
    onTestFinished(() => client.end())
    await client.query('begin')
    await store.execute(Account, id, 'deposit', 1, { tx: client })
    const late = store.execute(Account, id, 'deposit', 2)
    await untilSomebodyWaits()
    // A turn for the second command of the transaction would come only after its own commit.
    await store.execute(Account, id, 'deposit', 3, { tx: client })
    await store.execute(Account, other, 'deposit', 4)
    await client.query('commit')
    expect(await late).toMatchObject({ ok: true, version: 3n })
  })

  test.each([0, 1.5, Number.NaN, -1])('are not attempted %d times', async (maxAttempts) => {
    const attempt = store.execute(Account, newId(), 'close', undefined, { maxAttempts })
    await expect(attempt).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { option: 'maxAttempts' },
    })
  })

  test('stop when they are told to', async () => {
    const id = newId()
    const stop = new AbortController()
    const other = await holdStream(`account-${id}`, Opened({ owner: 'Bob' }))
    const late = store.execute(Account, id, 'open', { owner: 'Ada' }, { signal: stop.signal })
    const refused = expect(late).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    await untilSomebodyWaits()
    stop.abort()
    await other.query('commit')
    await refused
    expect(await typesOf(id)).toEqual(['account.opened'])
  })

  test('stop while their append is queued', async () => {
    const [id, busy] = [newId(), newId()]
    const alone = eventStore({
      connection: pool,
      names,
      registry: eventRegistry(Account.events),
      groupCommit: { maxQueued: 1 },
    })
    const single = deciderStore({ connection: pool, names, append: alone.append })
    const other = await holdStream(`account-${busy}`, Opened({ owner: 'Bob' }))
    // Waits for the stream, and takes the only place in the queue.
    const waiting = alone.append(`account-${busy}`, Deposited({ cents: 1 }))
    await untilSomebodyWaits()
    const stop = new AbortController()
    let decided = false
    const Watched = decider('account', {
      ...account,
      commands: {
        deposit: () => {
          decided = true
          return Deposited({ cents: 1 })
        },
      },
    })
    const late = single.execute(Watched, id, 'deposit', undefined, { signal: stop.signal })
    const refused = expect(late).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    await until('the decision', () => decided)
    stop.abort()
    await refused
    await other.query('commit')
    await waiting
    expect(await typesOf(id)).toEqual([])
  })

  test('stop before the first attempt when they were told so before', async () => {
    const id = newId()
    const attempt = store.execute(Account, id, 'deposit', 1, { signal: AbortSignal.abort() })
    await expect(attempt).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    expect(await typesOf(id)).toEqual([])
  })

  test('stay away longer after each attempt, at random, and never over half a second', () => {
    const longest = [1, 2, 3, 6, 7, 50].map((attempt) => retryDelayMs(attempt, 1))
    expect(longest).toEqual([10, 20, 40, 320, 500, 500])
    expect(retryDelayMs(3, 0)).toBe(0)
    expect(retryDelayMs(3, 0.25)).toBe(10)
  })
})

describe("a command within the caller's transaction", () => {
  test.each(['commit', 'rollback'] as const)('ends with its %s', async (end) => {
    const id = newId()
    const client = await pool.connect()
    await client.query('begin')
    const first = await store.execute(Account, id, 'deposit', 5, { tx: client })
    const second = await store.execute(Account, id, 'withdraw', 5, { tx: client })
    expect(second).toMatchObject({ ok: true, version: 2n, token: first.token })
    expect(await typesOf(id)).toEqual([])
    await client.query(end)
    client.release()
    const expected = end === 'commit' ? ['account.deposited', 'account.withdrawn'] : []
    expect(await typesOf(id)).toEqual(expected)
  })

  test('may be one of Kysely', async () => {
    const id = newId()
    const kysely = new Kysely<unknown>({
      dialect: new PostgresDialect({
        pool: new pg.Pool({ connectionString: database.connectionString }),
      }),
    })
    onTestFinished(() => kysely.destroy())
    const result = await kysely
      .transaction()
      .execute((tx) => store.execute(Account, id, 'deposit', 5, { tx }))
    const { rows } = await pool.query(
      'select incarnation, transaction_id::text from tidemark.events where stream_id = $1',
      [`account-${id}`],
    )
    const { incarnation, transactionId } = parseToken(result.token ?? '')
    expect(rows).toEqual([{ incarnation, transaction_id: transactionId.toString() }])
  })

  test('throws a conflict at once, and leaves the transaction usable', async () => {
    const id = newId()
    let decisions = 0
    const Raced = decider('account', {
      ...account,
      commands: {
        deposit: () => {
          decisions += 1
          return Deposited({ cents: 1 })
        },
      },
    })
    const client = await database.client()
    onTestFinished(() => client.end())
    await client.query('begin')
    // The writer that comes between loading and appending.
    const between = {
      query: async (statement: { text?: string }) => {
        if (statement.text?.includes('append'))
          await store.append(`account-${id}`, Opened({ owner: 'B' }))
        return client.query(statement as pg.QueryConfig)
      },
    }
    const attempt = store.execute(Raced, id, 'deposit', undefined, { tx: between })
    await expect(attempt).rejects.toMatchObject({ code: 'STREAM_VERSION_CONFLICT' })
    expect(decisions).toBe(1)
    expect(await store.execute(Account, id, 'deposit', 1, { tx: client })).toMatchObject({
      version: 2n,
    })
    await client.query('commit')
  })
})

describe('a command under a key', () => {
  test('is decided once, and gives the first result again', async () => {
    const id = newId()
    const key = `key-${id}`
    const first = await store.execute(Account, id, 'deposit', 5, { key })
    await store.execute(Account, id, 'withdraw', 5)
    const again = await store.execute(Account, id, 'deposit', 5, { key })
    expect(again).toMatchObject({ ...first, replayed: true })
    expect(await typesOf(id)).toEqual(['account.deposited', 'account.withdrawn'])
  })

  test('is not decided again, even if it would now be refused', async () => {
    const id = newId()
    const key = `key-${id}`
    const first = await store.execute(Account, id, 'open', { owner: 'Ada' }, { key })
    expect(await store.execute(Account, id, 'open', { owner: 'Ada' })).toMatchObject({ ok: false })
    const again = await store.execute(Account, id, 'open', { owner: 'Ada' }, { key })
    expect(again).toMatchObject({ ok: true, version: 1n, token: first.token, replayed: true })
  })

  test('gives all its events again and none of its neighbours in the transaction', async () => {
    const id = newId()
    const key = `key-${id}`
    const client = await pool.connect()
    await client.query('begin')
    await store.execute(Account, id, 'open', { owner: 'Ada' }, { tx: client })
    const first = await store.execute(Account, id, 'move', [1, 2], { tx: client, key })
    await store.execute(Account, id, 'deposit', 3, { tx: client })
    await client.query('commit')
    client.release()
    const again = await store.execute(Account, id, 'move', [1, 2], { key })
    expect(again).toMatchObject({ ...first, replayed: true })
    expect(again.ok && again.events.map(({ data }) => data)).toEqual([{ cents: 1 }, { cents: 2 }])
  })

  test('is decided again when it was refused or decided on nothing', async () => {
    const id = newId()
    const key = `key-${id}`
    expect(await store.execute(Account, id, 'withdraw', 5, { key })).toMatchObject({ ok: false })
    expect(await store.execute(Account, id, 'close', undefined, { key })).toMatchObject({
      version: 0n,
    })
    await store.execute(Account, id, 'deposit', 5)
    expect(await store.execute(Account, id, 'withdraw', 5, { key })).toMatchObject({
      ok: true,
      version: 2n,
      replayed: false,
    })
  })

  test('is decided again when the transaction of the first was rolled back', async () => {
    const id = newId()
    const key = `key-${id}`
    const client = await pool.connect()
    await client.query('begin')
    await store.execute(Account, id, 'deposit', 5, { tx: client, key })
    await client.query('rollback')
    client.release()
    expect(await store.execute(Account, id, 'deposit', 5, { key })).toMatchObject({
      replayed: false,
    })
  })

  test('of many at once is carried out once, whatever they meet', async () => {
    const id = newId()
    await store.execute(Account, id, 'deposit', 100)
    const results = await Promise.all([
      ...Array.from({ length: 10 }, () =>
        store.execute(Account, id, 'withdraw', 60, { key: `key-${id}` }),
      ),
      ...Array.from({ length: 10 }, () => store.execute(Account, id, 'deposit', 1)),
    ])
    const keyed = results.slice(0, 10)
    expect(keyed.filter((result) => result.ok && !result.replayed).length).toBe(1)
    expect(new Set(keyed.map(({ version }) => version)).size).toBe(1)
    expect(new Set(keyed.map((result) => result.ok && result.events[0]?.id)).size).toBe(1)
    expect((await store.load(Account, id)).state.cents).toBe(50)
  })

  test.each([
    ['another stream', (key: string) => store.execute(Account, newId(), 'deposit', 5, { key })],
    [
      'a plain append to another stream',
      (key: string) => store.append('note-1', Opened({ owner: '' }), { key }),
    ],
  ])('that belongs to %s is refused', async (_, other) => {
    const id = newId()
    const key = `key-${id}`
    await other(key)
    await expect(store.execute(Account, id, 'deposit', 5, { key })).rejects.toMatchObject({
      code: 'APPEND_KEY_REUSED',
      details: { key },
    })
    expect(await typesOf(id)).toEqual([])
  })
})

test('a schema that loses something is warned of once, when it is first used', async () => {
  const warnings: Error[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  onTestFinished(() => void process.off('warning', listen))
  const Dated = event('dated').v(1, z.object({ at: z.date() }))
  const Diary = decider('diary', {
    events: [Dated],
    initial: () => ({}),
    evolve: { dated: (s) => s },
    commands: { write: () => Dated({ at: new Date(0) }) },
  })
  await store.execute(Diary, newId(), 'write')
  await store.execute(Diary, newId(), 'write')
  await until('the warning', () => warnings.length > 0)
  expect(warnings).toEqual([
    expect.objectContaining({
      name: 'TidemarkWarning',
      code: 'TIDEMARK_EVENT_LOSSY',
      message:
        'the data of event "dated" is not JSON: schema version 1 at /properties/at: ' +
        'a Date is stored as text and read back as text: use z.iso.datetime()',
    }),
  ])
})
