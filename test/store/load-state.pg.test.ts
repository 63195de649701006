import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { evolve } from '../../src/core/decide.ts'
import { createPool } from '../../src/db/connect.ts'
import type { DeciderStore } from '../../src/store/decider-store.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import type { LoadOptions } from '../../src/store/load-state.ts'
import { useDatabase } from '../support/database.ts'
import { newId, openDeciderStore } from './decider-fixture.ts'
import { Account, Deposited, KeptAccount, Opened } from './deciders.ts'

const database = useDatabase()
let pool: pg.Pool
let store: EventStore & DeciderStore

beforeAll(() => {
  pool = createPool({ connectionString: database.connectionString, max: 8 })
  store = openDeciderStore(pool)
})

afterAll(() => pool.end())

/** Gives everything that is in the table its positions, in the order of the commits. */
async function sequence(): Promise<void> {
  await pool.query(/* sql */ `
    insert into tidemark.commits (position, event_count, incarnation, transaction_id, committed_at)
    select
      (select coalesce(max(position), 0) from tidemark.commits)
        + sum(n.events) over (order by n.last_insert_id),
      n.events,
      n.incarnation,
      n.transaction_id,
      now()
    from (
      select incarnation, transaction_id, count(*) as events, max(insert_id) as last_insert_id
      from tidemark.events
      where not exists (
        select
        from tidemark.commits as c
        where c.incarnation = events.incarnation and c.transaction_id = events.transaction_id
      )
      group by incarnation, transaction_id
    ) as n`)
}

function deposits(...amounts: number[]) {
  return amounts.map((cents) => Deposited({ cents }))
}

async function centsAt(id: string, options: LoadOptions): Promise<number> {
  const { state } = await store.load(Account, id, options)
  return state.cents
}

describe('loading', () => {
  test('gives the initial state of a stream that does not exist', async () => {
    const loaded = await store.load(Account, newId())
    expect(loaded).toEqual({ state: Account.initial(), version: 0n })
    expectTypeOf(loaded.state.owner).toEqualTypeOf<string | null>()
  })

  test('gives the state after all events, and the version of the last', async () => {
    const id = newId()
    await store.append(`account-${id}`, [Opened({ owner: 'Ada' }), ...deposits(1, 2)])
    expect(await store.load(Account, id)).toEqual({
      state: { owner: 'Ada', cents: 3, movements: 2 },
      version: 3n,
    })
  })

  test.each([1_999, 2_000, 2_001, 4_000])(
    'reads %d events, in as many pages as it takes',
    async (count) => {
      const id = newId()
      await store.append(`account-${id}`, deposits(...Array.from({ length: count }, () => 1)))
      expect(await store.load(Account, id)).toMatchObject({
        state: { cents: count },
        version: BigInt(count),
      })
    },
  )

  test("sees the caller's own events within the caller's transaction", async () => {
    const id = newId()
    const tx = await database.client()
    onTestFinished(() => tx.end())
    await tx.query('begin')
    await store.append(`account-${id}`, deposits(5), { tx })
    expect(await centsAt(id, { tx })).toBe(5)
    expect(await centsAt(id, {})).toBe(0)
    await tx.query('rollback')
  })

  test('stops between two pages when it is told to', async () => {
    const id = newId()
    await store.append(`account-${id}`, deposits(...Array.from({ length: 2_500 }, () => 1)))
    const stop = new AbortController()
    // Told while the first page is read.
    const connection = {
      query: (statement: pg.QueryConfig) => {
        stop.abort(new Error('enough'))
        return pool.query(statement)
      },
    }
    const loading = store.load(Account, id, { tx: connection, signal: stop.signal })
    await expect(loading).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
      cause: expect.objectContaining({ message: 'enough' }),
    })
  })
})

describe('the state at a version', () => {
  test.each([
    [0n, 0, 0n],
    [1n, 1, 1n],
    [2n, 3, 2n],
    [3n, 7, 3n],
    [9n, 7, 3n],
  ])('%d of three is the fold of so many events', async (version, cents, actual) => {
    const id = newId()
    await store.append(`account-${id}`, deposits(1, 2, 4))
    for (const decider of [Account, KeptAccount]) {
      expect(await store.load(decider, id, { version })).toMatchObject({
        state: { cents },
        version: actual,
      })
    }
  })
})

describe('the state at a position', () => {
  test('holds sequenced events up to there, also within one commit', async () => {
    const [id, other] = [newId(), newId()]
    await sequence()
    const { rows } = await pool.query(
      'select coalesce(max(position), 0) as p from tidemark.commits',
    )
    const start = BigInt(rows[0].p)
    await store.appendMany([
      { streamId: `account-${other}`, events: deposits(9) },
      { streamId: `account-${id}`, events: deposits(1, 2) },
    ])
    await store.append(`account-${other}`, deposits(9))
    await store.append(`account-${id}`, deposits(4))
    await sequence()
    await store.append(`account-${id}`, deposits(8))
    const at = await Promise.all(
      [0n, 1n, 2n, 3n, 4n, 5n, 6n, 99n].map((n) => centsAt(id, { position: start + n })),
    )
    expect(at).toEqual([0, 0, 1, 3, 3, 7, 7, 7])
    expect(await centsAt(id, {})).toBe(15)
  })

  test('is the initial one for position 0', async () => {
    const id = newId()
    await store.append(`account-${id}`, deposits(1))
    await sequence()
    expect(await store.load(Account, id, { position: 0n })).toMatchObject({ version: 0n })
  })
})

describe('the state at a time', () => {
  /** Inserts one deposit of one cent for each time. */
  async function depositAt(id: string, ...times: readonly string[]): Promise<void> {
    for (const [index, time] of times.entries()) {
      await pool.query(
        /* sql */ `
          insert into tidemark.events (
            stream_id, version, event_id, type, schema_version, data, recorded_at
          )
          values ($1, $2, gen_random_uuid(), 'account.deposited', 2, '{"cents": 1}', $3)`,
        [`account-${id}`, index + 1, time],
      )
    }
  }

  test('holds the event whose own time it is, and none that was recorded later', async () => {
    const id = newId()
    const day = '2030-01-01 12:00:00'
    await depositAt(id, `${day}.123456Z`, `${day}.123999Z`, `${day}.124Z`, `${day}.5Z`)
    const events = await store.readStream(`account-${id}`)
    const own = await Promise.all(events.map(({ recordedAt }) => centsAt(id, { at: recordedAt })))
    expect(own).toEqual([2, 2, 3, 4])
    const at = await Promise.all(
      ['.122', '.123', '.124', '.499', '.5'].map((fraction) =>
        centsAt(id, { at: new Date(`2030-01-01T12:00:00${fraction}Z`) }),
      ),
    )
    expect(at).toEqual([0, 2, 3, 3, 4])
  })

  test('is a prefix of the stream, even where the clock was set back', async () => {
    const id = newId()
    await depositAt(id, '2030-01-01', '2030-01-03', '2030-01-02', '2030-01-04')
    const at = await Promise.all(
      ['01', '02', '03', '04'].map((day) =>
        centsAt(id, { at: new Date(`2030-01-${day}T12:00:00Z`) }),
      ),
    )
    expect(at).toEqual([1, 1, 3, 4])
  })

  test('grows by an event that was recorded before it and committed after, as a position does not', async () => {
    const id = newId()
    await sequence()
    const late = await database.client()
    onTestFinished(() => late.end())
    await late.query('begin')
    await store.append(`account-${id}`, deposits(5), { tx: late })
    const { rows } = await pool.query(
      'select clock_timestamp() as now, max(position) as p from tidemark.commits',
    )
    const [at, position] = [new Date(rows[0].now.getTime() + 1), BigInt(rows[0].p)]
    expect([await centsAt(id, { at }), await centsAt(id, { position })]).toEqual([0, 0])
    await late.query('commit')
    await sequence()
    expect([await centsAt(id, { at }), await centsAt(id, { position })]).toEqual([5, 0])
  })
})

describe('a moment that cannot be', () => {
  test.each([
    ['a negative version', { version: -1n }],
    ['a negative position', { position: -1n }],
    ['a position past 64 bits', { position: 2n ** 63n }],
    ['no date', { at: new Date('tomorrow') }],
  ])('is refused: %s', async (_, options) => {
    await expect(store.load(Account, '1', options as LoadOptions)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })

  test('is refused, also by its type: two at once', async () => {
    // @ts-expect-error version and position exclude each other
    const loading = store.load(Account, '1', { version: 1n, position: 1n })
    await expect(loading).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'option "version": give one of version, position and at',
    })
  })
})

test('time travel equals a fold over the prefix, with snapshots and without', async () => {
  // Commits of several streams, each stream with some events.
  const commit = fc.uniqueArray(
    fc.record({
      stream: fc.nat({ max: 2 }),
      amounts: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 7 }),
    }),
    { minLength: 1, maxLength: 3, selector: ({ stream }) => stream },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(commit, { minLength: 1, maxLength: 8 }), async (commits) => {
      const prefix = newId()
      const idOf = (stream: number) => `${prefix}x${stream}`
      for (const appends of commits) {
        await store.appendMany(
          appends.map(({ stream, amounts }) => ({
            streamId: `account-${idOf(stream)}`,
            events: deposits(...amounts),
          })),
        )
        // Leaves a snapshot here and there.
        const [first] = appends
        await store.execute(KeptAccount, idOf(first?.stream ?? 0), 'deposit', 1)
      }
      await sequence()
      for (const stream of [0, 1, 2]) await checkEveryMoment(idOf(stream))
    }),
    { numRuns: 12 },
  )

  async function checkEveryMoment(id: string): Promise<void> {
    const { rows } = await pool.query(
      'select version, position, type, data, metadata, tags from tidemark.log where stream_id = $1 order by version',
      [`account-${id}`],
    )
    const states = Array.from({ length: rows.length + 1 }, (_, count) =>
      evolve(Account, Account.initial(), rows.slice(0, count)),
    )
    for (const decider of [Account, KeptAccount]) {
      for (const [count, state] of states.entries()) {
        const position = BigInt(rows[count - 1]?.position ?? 0)
        const moments: LoadOptions[] = [{ version: BigInt(count) }, { position }]
        const next = rows[count]
        if (next !== undefined) moments.push({ position: BigInt(next.position) - 1n })
        const loaded = await Promise.all(moments.map((moment) => store.load(decider, id, moment)))
        for (const one of loaded) expect(one).toEqual({ state, version: BigInt(count) })
      }
    }
  }
})
