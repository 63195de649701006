import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type AnyDecider, decider } from '../../src/core/decider.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { createPool } from '../../src/db/connect.ts'
import type { DeciderStore } from '../../src/store/decider-store.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { newId, openDeciderStore, readSnapshots } from './decider-fixture.ts'
import { Account, account, Deposited, KeptAccount, Withdrawn } from './deciders.ts'

const database = useDatabase()
let pool: pg.Pool
let store: EventStore & DeciderStore

beforeAll(() => {
  pool = createPool({ connectionString: database.connectionString, max: 8 })
  store = openDeciderStore(pool)
})

afterAll(() => pool.end())

const { commands } = Account

/** Appends deposits of one cent, a thousand at a time. */
async function deposit(id: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1_000) {
    const events = Array.from({ length: Math.min(left, 1_000) }, () => Deposited({ cents: 1 }))
    await store.append(`account-${id}`, events)
  }
}

/** Makes a stream of some deposits and the withdrawal that has left a snapshot before it. */
async function keptStream(
  count: number,
  target: typeof KeptAccount = KeptAccount,
): Promise<string> {
  const id = newId()
  await deposit(id, count)
  await store.execute(target, id, 'withdraw', 1)
  return id
}

async function versionsOf(id: string): Promise<bigint[]> {
  const snapshots = await readSnapshots(pool, `account-${id}`)
  return snapshots.map(({ version }) => version)
}

/** Puts a state into the snapshot that no events lead to, so that its use shows. */
async function falsify(id: string): Promise<void> {
  const { rowCount } = await pool.query(
    `update tidemark.snapshots set state = '{"owner": "false", "cents": 1000000, "movements": 0}'
      where stream_id = $1`,
    [`account-${id}`],
  )
  expect(rowCount).toBe(1)
}

/** Counts the events that a load reads. */
async function countRead(target: AnyDecider, id: string): Promise<number> {
  let count = 0
  const counting = {
    query: async (statement: pg.QueryConfig) => {
      const result = await pool.query(statement)
      if (statement.name?.startsWith('tidemark-load-stream')) count += result.rows.length
      return result
    },
  }
  await store.load(target, id, { tx: counting })
  return count
}

/** Removes the events of a stream from a version on, as a restore to an earlier time would. */
async function truncateStream(id: string, from: number): Promise<void> {
  await pool.query(`
    alter table tidemark.events disable trigger user;
    delete from tidemark.events where stream_id = 'account-${id}' and version >= ${from};
    alter table tidemark.events enable trigger user;`)
}

describe('a snapshot', () => {
  test('is taken by the command that finds enough events since the last one', async () => {
    const id = newId()
    await deposit(id, 4)
    await store.execute(KeptAccount, id, 'deposit', 1)
    expect(await versionsOf(id)).toEqual([])
    for (let n = 0; n < 12; n += 1) await store.execute(KeptAccount, id, 'deposit', 1)
    expect(await readSnapshots(pool, `account-${id}`)).toEqual([
      { version: 15n, state: { owner: null, cents: 15, movements: 15 }, hash: expect.any(String) },
    ])
  })

  test('is where a load begins', async () => {
    const id = await keptStream(20)
    expect(await countRead(KeptAccount, id)).toBe(1)
    expect(await countRead(Account, id)).toBe(21)
    await falsify(id)
    expect((await store.load(KeptAccount, id)).state).toMatchObject({ cents: 999_999 })
    expect((await store.load(Account, id)).state).toMatchObject({ cents: 19 })
  })

  test('is not taken of a refusal, nor by a decider that asks for none, nor by a load', async () => {
    const id = newId()
    await deposit(id, 50)
    await store.load(KeptAccount, id)
    await store.execute(KeptAccount, id, 'withdraw', 51)
    await store.execute(Account, id, 'withdraw', 1)
    expect(await versionsOf(id)).toEqual([])
  })

  test("is not taken of what only the caller's transaction sees", async () => {
    const id = newId()
    await deposit(id, 50)
    const tx = await database.client()
    onTestFinished(() => tx.end())
    await tx.query('begin')
    await store.execute(KeptAccount, id, 'withdraw', 1, { tx })
    await tx.query('rollback')
    expect(await versionsOf(id)).toEqual([])
  })

  test('is not used for a moment before it', async () => {
    const id = await keptStream(20)
    await falsify(id)
    expect((await store.load(KeptAccount, id, { version: 19n })).state.cents).toBe(19)
    expect((await store.load(KeptAccount, id, { version: 20n })).state.cents).toBe(1_000_000)
  })

  test('may be deleted at any time', async () => {
    const id = await keptStream(20)
    await pool.query('delete from tidemark.snapshots')
    expect((await store.load(KeptAccount, id)).state.cents).toBe(19)
  })
})

describe('a snapshot is ignored', () => {
  test('when the log was restored to before it, and when the stream has grown anew since', async () => {
    const id = await keptStream(20)
    await falsify(id)
    await truncateStream(id, 11)
    expect(await store.load(KeptAccount, id)).toMatchObject({ state: { cents: 10 }, version: 10n })
    await deposit(id, 30)
    expect(await store.load(KeptAccount, id)).toMatchObject({ state: { cents: 40 }, version: 40n })
  })

  test('and replaced by the next command, though that is of a lower version', async () => {
    const id = await keptStream(20)
    await truncateStream(id, 11)
    await store.execute(KeptAccount, id, 'withdraw', 1)
    expect(await versionsOf(id)).toEqual([10n])
    expect((await store.load(KeptAccount, id)).state.cents).toBe(9)
  })

  test.each<[string, () => AnyDecider]>([
    [
      'version',
      () => decider('account', { ...account, commands, version: 2, snapshot: { every: 5 } }),
    ],
    [
      'initial state',
      () =>
        decider('account', {
          ...account,
          initial: () => ({ ...account.initial(), currency: 'EUR' }),
          evolve: {
            'account.opened': (s, e) => ({ ...s, owner: e.data.owner }),
            'account.deposited': (s, e) => ({ ...s, cents: s.cents + e.data.cents }),
            'account.withdrawn': (s, e) => ({ ...s, cents: s.cents - e.data.cents }),
          },
          commands: {},
          snapshot: { every: 5 },
        }),
    ],
    [
      'event types',
      () => {
        const { 'account.opened': _, ...evolve } = account.evolve
        return decider('account', {
          events: [Deposited, Withdrawn],
          initial: account.initial,
          evolve,
          commands: {},
          snapshot: { every: 5 },
        })
      },
    ],
  ])('when the decider has another %s', async (_, other) => {
    const id = await keptStream(20)
    await falsify(id)
    expect(await store.load(other(), id)).toMatchObject({ state: { cents: 19 } })
    expect((await store.load(KeptAccount, id)).state).toMatchObject({ cents: 999_999 })
  })

  test('when it cannot be decoded', async () => {
    const Strict = decider('account', {
      ...account,
      commands,
      snapshot: {
        every: 5,
        encode: (state) => state,
        decode: (encoded) => {
          if (encoded.owner === 'false') throw new Error('not mine')
          return encoded
        },
      },
    })
    const id = await keptStream(20, Strict)
    await falsify(id)
    expect((await store.load(Strict, id)).state.cents).toBe(19)
  })
})

describe('code of two versions at once', () => {
  const Next = decider('account', { ...account, commands, version: 2, snapshot: { every: 5 } })

  test('keeps a snapshot each, so that neither reads whole streams', async () => {
    const id = await keptStream(20)
    await store.execute(Next, id, 'withdraw', 1)
    await store.execute(KeptAccount, id, 'withdraw', 1)
    expect(await countRead(Next, id)).toBeLessThan(5)
    expect(await countRead(KeptAccount, id)).toBeLessThan(5)
    expect((await versionsOf(id)).length).toBe(2)
  })

  test('removes what the other left more than a day ago', async () => {
    const id = await keptStream(20)
    await pool.query(`update tidemark.snapshots set taken_at = now() - interval '25 hours'`)
    await store.execute(Next, id, 'withdraw', 1)
    expect(await versionsOf(id)).toEqual([21n])
  })
})

describe('a command succeeds', () => {
  test('when its snapshot cannot be written, which the logger is told', async () => {
    const warnings: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) }
    const connection = {
      query: (statement: pg.QueryConfig) => {
        if (statement.text.includes('save_snapshot')) throw new Error('the disk is full')
        return pool.query(statement)
      },
    }
    const id = newId()
    await deposit(id, 10)
    const result = await openDeciderStore(connection, logger).execute(
      KeptAccount,
      id,
      'withdraw',
      1,
    )
    expect(result).toMatchObject({ ok: true, version: 11n })
    expect(warnings).toEqual([
      { err: new Error('the disk is full'), streamId: `account-${id}`, decider: 'account' },
    ])
    expect(await versionsOf(id)).toEqual([])
  })
})

describe('a state that JSON does not hold', () => {
  const commandsOfNone = { move: () => Withdrawn({ cents: 1 }) }

  function deciderWith(name: string, initial: () => unknown) {
    return decider(name, {
      events: [Withdrawn],
      initial,
      evolve: { 'account.withdrawn': (state) => state },
      commands: commandsOfNone,
      snapshot: { every: 1 },
    })
  }

  test.each<[string, () => unknown]>([
    ['a date', () => ({ at: new Date(0) })],
    ['a map', () => ({ items: new Map([[1, 2]]) })],
    ['undefined', () => ({ owner: undefined })],
    ['a big integer', () => ({ total: 1n })],
    ['not a number', () => ({ total: Number.NaN })],
    ['an instance', () => ({ error: new RangeError('no') })],
    [
      'a cycle',
      () => {
        const state: { self?: unknown } = {}
        state.self = state
        return state
      },
    ],
  ])('is not kept, and the process is warned once: %s', async (name, initial) => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const Lossy = deciderWith(name.replaceAll(' ', '_'), initial)
    for (let n = 0; n < 4; n += 1) {
      expect(await store.execute(Lossy, '1', 'move')).toMatchObject({ ok: true })
    }
    expect(await store.load(Lossy, '1')).toEqual({ state: initial(), version: 4n })
    await until('the warning', () => warnings.length > 0)
    expect(warnings).toEqual([
      expect.objectContaining({
        code: 'TIDEMARK_STATE_LOSSY',
        message: expect.stringContaining(`decider "${Lossy.name}" takes no snapshots`),
      }),
    ])
    expect(await readSnapshots(pool, `${Lossy.name}-1`)).toEqual([])
  })

  test('is kept when the decider encodes it', async () => {
    const Dated = decider('dated', {
      events: [Withdrawn],
      initial: () => ({ at: new Date(0), seen: new Map<number, bigint>() }),
      evolve: {
        'account.withdrawn': (s, e) => ({
          at: new Date(s.at.getTime() + 1),
          seen: new Map([...s.seen, [s.seen.size, BigInt(e.data.cents)]]),
        }),
      },
      commands: commandsOfNone,
      snapshot: {
        every: 2,
        encode: (s) => ({
          at: s.at.toISOString(),
          seen: [...s.seen].map(([k, v]) => [k, `${v}`] as const),
        }),
        decode: (s) => ({
          at: new Date(s.at),
          seen: new Map(s.seen.map(([k, v]) => [k, BigInt(v)])),
        }),
      },
    })
    for (let n = 0; n < 4; n += 1) await store.execute(Dated, '1', 'move')
    expect((await readSnapshots(pool, 'dated-1')).length).toBe(1)
    expect(await countRead(Dated, '1')).toBe(2)
    expect((await store.load(Dated, '1')).state).toEqual({
      at: new Date(4),
      seen: new Map([0, 1, 2, 3].map((n) => [n, 1n])),
    })
  })

  test('of strange text and keys is kept as it is, in the order of its keys', async () => {
    const state = JSON.parse(
      '{"b": 1, "a": {"__proto__": 1, "": "\\u0000\\ud800"}, "10": 1, "9": 1e300}',
    )
    const Strange = deciderWith('strange', () => state)
    for (let n = 0; n < 3; n += 1) await store.execute(Strange, '1', 'move')
    expect(await countRead(Strange, '1')).toBeLessThan(3)
    const loaded = await store.load(Strange, '1')
    expect(JSON.stringify(loaded.state)).toBe(JSON.stringify(state))
  })
})

test('snapshots on or off give equal states and equal decisions', async () => {
  const command = fc.oneof(
    fc.tuple(fc.constant('open' as const), fc.record({ owner: fc.string() })),
    fc.tuple(fc.constant('deposit' as const), fc.nat({ max: 20 })),
    fc.tuple(fc.constant('withdraw' as const), fc.nat({ max: 20 })),
    fc.tuple(fc.constant('move' as const), fc.array(fc.nat({ max: 9 }), { maxLength: 9 })),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 25 }),
      fc.integer({ min: 1, max: 7 }),
      async (planned, every) => {
        const [plainId, keptId] = [newId(), newId()]
        const Kept = decider('account', { ...account, commands, snapshot: { every } })
        for (const [name, input] of planned) {
          const plain = await store.execute(Account, plainId, name as 'deposit', input as number)
          const kept = await store.execute(Kept, keptId, name as 'deposit', input as number)
          expect({ ...kept, events: null, token: null }).toEqual({
            ...plain,
            events: null,
            token: null,
          })
          expect(await store.load(Kept, keptId)).toEqual(await store.load(Account, plainId))
        }
        expect(await store.load(Kept, keptId)).toEqual(await store.load(Account, keptId))
      },
    ),
    { numRuns: 15 },
  )
})

/** Gives the plans of the statements that a load makes, as they are once prepared. */
async function plansOfLoad(target: AnyDecider, id: string): Promise<string[]> {
  const client = await database.client()
  onTestFinished(() => client.end())
  await client.query('set plan_cache_mode = force_generic_plan')
  const plans: string[] = []
  const explaining = {
    query: async (statement: pg.QueryConfig) => {
      const { text, values = [] } = statement
      const name = `load_${plans.length}`
      await client.query(`prepare ${name} as ${text}`)
      const literals = values.map((value) => pg.escapeLiteral(String(value)))
      const { rows } = await client.query(`explain execute ${name}(${literals.join(', ')})`)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return client.query({ text, values })
    },
  }
  await store.load(target, id, { tx: explaining })
  return plans
}

test('a long stream loads as fast as a short one', async () => {
  const Long = decider('account', { ...account, commands, snapshot: { every: 100 } })
  const streams = []
  for (const length of [1_000, 100_000]) {
    const id = newId()
    await deposit(id, length)
    await store.execute(Long, id, 'withdraw', 1)
    await deposit(id, 99)
    streams.push({ id, length, times: [] as number[] })
  }
  // By turns, so that what slows the machine down slows both.
  for (let n = 0; n < 40; n += 1) {
    for (const { id, length, times } of streams) {
      const start = performance.now()
      const loaded = await store.load(Long, id)
      times.push(performance.now() - start)
      expect(loaded).toMatchObject({ version: BigInt(length + 100), state: { cents: length + 98 } })
    }
  }
  await pool.query('analyze tidemark.events')
  for (const { id } of streams) {
    expect(await countRead(Long, id)).toBe(100)
    const plans = await plansOfLoad(Long, id)
    expect(plans.length).toBe(2)
    for (const plan of plans) {
      expect(plan).toMatch(/Index Scan using events_stream_id_version_key/)
      expect(plan).not.toMatch(/Seq Scan on events|Sort/)
    }
  }
  const [short = 0, long = 0] = streams.map(({ times }) => times.toSorted((a, b) => a - b)[20])
  // Not a figure but a bound against reading the stream, which takes a hundred times as long.
  expect(long).toBeLessThan(5 * short + 5)
}, 60_000)
