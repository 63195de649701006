import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { createStore, projection, type Store } from '../../src/index.ts'
import { appendToStream } from '../../src/store/append.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { Counted, counted, counts } from './counts.ts'
import { headPosition, names, sequence } from './fixtures.ts'
import { Added, byBatch, byEach, byFold, byFoldAndBatch, Removed } from './levels.ts'

const database = useDatabase()
let runs = 0

afterAll(() => dropLogSlots(database.connectionString))

async function openStore(): Promise<Store> {
  return createStore({ connectionString: database.connectionString })
}

async function asOfSchemas(): Promise<readonly string[]> {
  const { rows } = await database.pool.query(
    "select nspname::text as name from pg_namespace where nspname like 'tidemark_asof%'",
  )
  return rows.map(({ name }) => name)
}

interface Step {
  readonly key: string
  readonly amount: number
  readonly size: number
}

const steps = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b'),
    amount: fc.integer({ min: -99, max: 99 }),
    size: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
)

describe('rows as of a position are those of a fold in memory of what came up to there', () => {
  test.for([
    { level: 'fold', define: byFold },
    { level: 'each', define: byEach },
    { level: 'batch', define: byBatch },
    { level: 'fold and batch', define: byFoldAndBatch },
  ])('$level', { timeout: 120_000 }, async ({ define }) => {
    await using store = await openStore()
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.nat(),
        fc.integer({ min: 1, max: 7 }),
        async (list, at, batchSize) => {
          runs += 1
          const prefix = `asof-${runs}/`
          const start = await headPosition(database.pool)
          const amounts = await write(list, prefix)
          const position = start + BigInt(at % (amounts.length + 1))
          const definition = define(`asof_${runs}`)
          const rows = await store.asOf(
            position,
            definition,
            async (db, reached) => {
              expect(reached).toBe(position)
              return db.selectFrom('sums').selectAll().where('key', 'like', `${prefix}%`).execute()
            },
            { batchSize },
          )
          const expected = new Map<string, { sum: bigint; trail: string }>()
          for (const { key, amount } of amounts.slice(0, Number(position - start))) {
            const row = expected.get(key)
            expected.set(key, {
              sum: (row?.sum ?? 0n) + BigInt(amount),
              trail: `${row?.trail ?? ''},${amount}`,
            })
          }
          expect(new Map(rows.map(({ key, sum, trail }) => [key, { sum, trail }]))).toEqual(
            expected,
          )
        },
      ),
      { numRuns: 12 },
    )
    expect(await asOfSchemas()).toEqual([])
  })
})

/** Commits of several events each, so that positions lie within them. */
async function write(list: readonly Step[], prefix: string) {
  const amounts: { key: string; amount: number }[] = []
  for (const { key, amount, size } of list) {
    const streamId = `${prefix}${key}`
    const events = Array.from({ length: size }, () =>
      amount < 0 ? Removed({ key: streamId, amount: -amount }) : Added({ key: streamId, amount }),
    )
    await appendToStream(database.pool, names, { streamId, events })
    amounts.push(...events.map(() => ({ key: streamId, amount })))
  }
  await sequence(database.pool)
  return amounts
}

async function commitCounted(count: number): Promise<void> {
  runs += 1
  await appendToStream(database.pool, names, {
    streamId: `counted-${runs}`,
    events: counted(count),
  })
  await sequence(database.pool)
}

test('a time means the last commit until then', async () => {
  await using store = await openStore()
  await commitCounted(2)
  const before = await headPosition(database.pool)
  const { rows } = await database.pool.query(
    "select date_trunc('milliseconds', max(committed_at)) as at from tidemark.commits",
  )
  await database.pool.query('select pg_sleep(0.005)')
  await commitCounted(3)
  const positions = await Promise.all(
    [rows[0].at, new Date(rows[0].at.getTime() - 1), new Date(Date.now() + 1_000), new Date(0)].map(
      (at) => store.asOf(at, counts('moments', 1), async (_db, position) => position),
    ),
  )
  expect(positions[0]).toBe(before)
  expect(positions[1]).toBeLessThan(before)
  expect(positions[2]).toBe(await headPosition(database.pool))
  expect(positions[3]).toBe(0n)
})

test('two projections are joined as of one position', async () => {
  await using store = await openStore()
  await commitCounted(5)
  const at = await headPosition(database.pool)
  const joined = { one: counts('join_one', 1), other: counts('join_other', 7) }
  const rows = await store.asOf(at, joined, (db) =>
    db
      .selectFrom('one.counts as a')
      .innerJoin('other.counts', 'other.counts.key', 'a.key')
      .select(['a.count as here', 'other.counts.count as there', 'other.counts.version'])
      .execute(),
  )
  expect(rows.length).toBeGreaterThan(0)
  for (const row of rows) expect(row).toEqual({ here: row.there, there: row.there, version: 7 })
})

describe('leaves nothing behind', () => {
  test('when a handler throws', async () => {
    await using store = await openStore()
    await commitCounted(1)
    const definition = projection('asof_throws', {
      version: 1,
      events: [Counted],
      tables: counts('asof_throws', 1).tables,
    }).each({
      on: {
        counted: () => {
          throw new Error('no')
        },
      },
    })
    await expect(
      store.asOf(await headPosition(database.pool), definition, async () => {}),
    ).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
    expect(await asOfSchemas()).toEqual([])
  })

  test('when it is stopped', async () => {
    await using store = await openStore()
    await commitCounted(4)
    const stop = new AbortController()
    const definition = counts('asof_stopped', 1, { onEvent: () => stop.abort() })
    await expect(
      store.asOf(await headPosition(database.pool), definition, async () => {}, {
        batchSize: 1,
        signal: stop.signal,
      }),
    ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    expect(await asOfSchemas()).toEqual([])
  })

  test('of a process that was killed a day ago, and keeps what another one uses', async () => {
    await using store = await openStore()
    const day = 24 * 60 * 60 * 1_000
    const old = `tidemark_asof_${Date.now() - day - 1}_0a1b2c_v1`
    const recent = `tidemark_asof_${Date.now() - 1_000}_0a1b2c_v1`
    const stranger = 'tidemark_asof_reports'
    for (const name of [old, recent, stranger]) {
      await database.pool.query(`create schema ${name}`)
    }
    await store.asOf(0n, counts('asof_later', 1), async () => {})
    expect((await asOfSchemas()).toSorted()).toEqual([recent, stranger].toSorted())
    for (const name of [recent, stranger]) await database.pool.query(`drop schema ${name}`)
  })
})

test('refuses a position that is not there', async () => {
  await using store = await openStore()
  const head = await headPosition(database.pool)
  const future = new Date(Date.now() + 120_000)
  for (const at of [head + 1n, -1n, future, new Date(Number.NaN), '5' as never]) {
    await expect(store.asOf(at, counts('asof_refused', 1), async () => {})).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  }
})
