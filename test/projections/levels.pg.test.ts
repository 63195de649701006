import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import {
  type AnyProjection,
  integer,
  type ProjectionWriter,
  projection,
  table,
  text,
} from '../../src/index.ts'
import { projectionSubscription } from '../../src/projections/lanes/projection-subscriber.ts'
import { appendToStream } from '../../src/store/append.ts'
import { readCheckpoint } from '../../src/subscriptions/checkpoint.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { follow, names, sequence } from './fixtures.ts'
import {
  Added,
  byBatch,
  byBatchOfBefore,
  byBatchWithUpcaster,
  byEach,
  byFold,
  byFoldAndBatch,
  Removed,
  Scaled,
  ScaledLater,
} from './levels.ts'

const database = useDatabase()
let runs = 0

function newName(): string {
  runs += 1
  return `levels_${runs}`
}

interface Step {
  readonly isAdded: boolean
  readonly key: string
  readonly amount: number
  /** Whether the ledger is written after it, so that commits come in several runs. */
  readonly isSequenced: boolean
}

const steps = fc.array(
  fc.record({
    isAdded: fc.boolean(),
    key: fc.constantFrom('a', 'b', 'c d', 'é"'),
    amount: fc.integer({ min: 0, max: 999 }),
    isSequenced: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
)

async function write(list: readonly Step[], prefix: string): Promise<void> {
  for (const { isAdded, key, amount, isSequenced } of list) {
    const event = (isAdded ? Added : Removed)({ key: `${prefix}${key}`, amount })
    await appendToStream(database.pool, names, { streamId: `${prefix}${key}`, events: [event] })
    if (isSequenced) await sequence(database.pool)
  }
  await sequence(database.pool)
}

interface SumRow {
  readonly key: string
  readonly sum: bigint
  readonly entries: number
  readonly trail: string
  readonly notes: readonly string[]
}

/** The rows that the steps make, by plain maps. */
function expectedSums(list: readonly Omit<Step, 'isSequenced'>[], prefix: string) {
  const rows = new Map<string, SumRow>()
  for (const { isAdded, key, amount } of list) {
    const name = `${prefix}${key}`
    const signed = isAdded ? amount : -amount
    const row = rows.get(name)
    rows.set(name, {
      key: name,
      sum: (row?.sum ?? 0n) + BigInt(signed),
      entries: (row?.entries ?? 0) + 1,
      trail: `${row?.trail ?? ''},${signed}`,
      notes: ['kept', `${signed}`],
    })
  }
  return [...rows.values()]
}

async function readTable(projection: AnyProjection, name: string, prefix: string) {
  const { rows } = await database.pool.query(
    `select * from ${projection.viewSchema}_v${projection.version}.${name} where starts_with(key, $1)`,
    [prefix],
  )
  return rows
}

describe('every level gives the rows of a fold in memory', () => {
  test.for([
    { level: 'fold', define: byFold },
    { level: 'each', define: byEach },
    { level: 'batch', define: byBatch },
    { level: 'fold and batch', define: byFoldAndBatch },
  ])('$level', { timeout: 120_000 }, async ({ define }) => {
    let cases = 0
    await fc.assert(
      fc.asyncProperty(
        steps,
        steps,
        fc.integer({ min: 1, max: 12 }),
        async (first, rest, batchSize) => {
          cases += 1
          const definition = define(newName())
          const prefix = `${definition.name}/`
          await write(first, prefix)
          await using follower = await follow(database, definition, { batchSize, maxCachedRows: 2 })
          await write(rest, prefix)
          await follower.untilCaughtUp()
          const all = [...first, ...rest]
          const rows = await readTable(definition, 'sums', prefix)
          const plain = rows.map((row) => ({ ...row, sum: BigInt(row.sum) }))
          expect(byKey(plain)).toEqual(byKey(expectedSums(all, prefix)))
          if ('counts' in definition.tables) {
            const removed = all.filter(({ isAdded }) => !isAdded).length
            const counts = await readTable(definition, 'counts', prefix)
            expect(counts.reduce((sum, { n }) => sum + Number(n), 0)).toBe(removed)
          }
        },
      ),
      { numRuns: 15 },
    )
    expect(cases).toBeGreaterThan(0)
  })
})

function byKey<T extends { key?: unknown }>(rows: readonly T[]): T[] {
  return rows.toSorted((a, b) => (String(a.key) < String(b.key) ? -1 : 1))
}

test.for([
  { keys: 40, maxCachedRows: 1_000 },
  { keys: 40, maxCachedRows: 7 },
])(
  'a fold that begins on an empty table looks for the rows it has dropped: %j',
  async (options) => {
    const { keys, maxCachedRows } = options
    const definition = byFold(newName())
    const prefix = `${definition.name}/`
    const list = Array.from({ length: 600 }, (_, i) => ({
      isAdded: true,
      key: `${(i * 17) % keys}`,
      amount: i,
    }))
    const events = list.map(({ key, amount }) => Added({ key: `${prefix}${key}`, amount }))
    // One large commit, in chunks of more events than a fold needs to ask whether its table is empty.
    await appendToStream(database.pool, names, { streamId: `${prefix}all`, events })
    await sequence(database.pool)
    await using follower = await follow(database, definition, { batchSize: 150, maxCachedRows })
    await follower.untilCaughtUp()
    await follower.stop()
    // Another process begins on a table that has rows.
    await write([{ isAdded: false, key: '0', amount: 1, isSequenced: true }], prefix)
    await appendToStream(database.pool, names, { streamId: `${prefix}all`, events })
    await sequence(database.pool)
    await using second = await follow(database, definition, { batchSize: 150, maxCachedRows })
    await second.untilCaughtUp()
    const rows = await readTable(definition, 'sums', prefix)
    const all = [...list, { isAdded: false, key: '0', amount: 1 }, ...list]
    expect(byKey(rows.map((row) => ({ ...row, sum: BigInt(row.sum) })))).toEqual(
      byKey(expectedSums(all, prefix)),
    )
  },
)

test('a batch gets old events in their newest shape', async () => {
  const definition = byBatchWithUpcaster(newName())
  const streamId = `${definition.name}/a`
  const events = [
    Scaled({ key: streamId, amount: 2 }),
    ScaledLater({ key: streamId, hundredths: 7 }),
    Scaled({ key: streamId, amount: 1 }),
  ]
  await appendToStream(database.pool, names, { streamId, events })
  await sequence(database.pool)
  await using follower = await follow(database, definition, { batchSize: 2 })
  await follower.untilCaughtUp()
  expect(await readTable(definition, 'sums', streamId)).toEqual([
    { key: streamId, sum: '307', entries: 3, trail: ',200,7,100', notes: [] },
  ])
})

test('a batch that leaves events in the server stops at one of a later release', async () => {
  const definition = byBatchOfBefore(newName())
  const streamId = `${definition.name}/later`
  await using _follower = await follow(database, definition)
  await appendToStream(database.pool, names, {
    streamId,
    events: [ScaledLater({ key: streamId, hundredths: 7 })],
  })
  await sequence(database.pool)
  await untilFailed(definition, 'HANDLER_FAILED')
  // Of the first such event: that of the test before, where one of this release comes first.
  const rows = await readTable(definition, 'sums', '')
  expect(rows.filter(({ sum }) => sum !== '2')).toEqual([])
})

/** Waits until a version stands still, and returns why. */
async function untilFailed(definition: AnyProjection, code: string) {
  return until('the projection to stop', async (saw) => {
    const { rows } = await database.pool.query(
      'select state, error from tidemark.subscriptions where name = $1 and version = $2',
      [definition.name, definition.version],
    )
    saw(rows)
    return rows[0]?.state === 'failed' && rows[0].error.code === code && rows[0].error
  })
}

describe('a handler of `each`', () => {
  const numbers = table({ key: text().primaryKey(), n: integer() })

  function startDefinition(name: string) {
    return projection(name, { version: 1, events: [Added], tables: { numbers } })
  }

  async function appendAmounts(name: string, amounts: readonly number[]): Promise<void> {
    for (const [i, amount] of amounts.entries()) {
      await appendToStream(database.pool, names, {
        streamId: `${name}/${i}`,
        events: [Added({ key: `${name}/${i}`, amount })],
      })
    }
    await sequence(database.pool)
  }

  test('is blamed for its own event when the server refuses what it wrote', async () => {
    const name = newName()
    const definition = startDefinition(name).each({
      on: {
        added: (db, { data }) =>
          data.key.startsWith(name)
            ? db
                .insertInto('numbers')
                .values({ key: data.amount === 13 ? `${name}/0` : data.key, n: data.amount })
            : null,
      },
    })
    await appendAmounts(name, [1, 2, 13, 4])
    await using _follower = await follow(database, definition)
    const error = await untilFailed(definition, 'HANDLER_FAILED')
    const { rows } = await database.pool.query(
      'select position::text from tidemark.log where stream_id = $1',
      [`${name}/2`],
    )
    expect(error).toMatchObject({
      position: rows[0].position,
      message: expect.stringContaining('duplicate key'),
    })
    // What comes before it is applied.
    expect(await readTable(definition, 'numbers', name)).toEqual([
      { key: `${name}/0`, n: 1 },
      { key: `${name}/1`, n: 2 },
    ])
    expect(
      (await readCheckpoint(database.pool, names, projectionSubscription(definition)))?.position,
    ).toBe(BigInt(rows[0].position) - 1n)
  })

  test('that forgets to return its statement stops the projection', async () => {
    const name = newName()
    const forgetful = (db: ProjectionWriter<{ numbers: typeof numbers }>) => {
      db.insertInto('numbers').values({ key: name, n: 1 })
    }
    const definition = startDefinition(name).each({
      // @ts-expect-error it returns nothing
      on: { added: forgetful },
    })
    await appendAmounts(name, [1])
    await using _follower = await follow(database, definition)
    expect(await untilFailed(definition, 'HANDLER_FAILED')).toMatchObject({
      message: expect.stringContaining('or null for nothing to write'),
    })
  })

  test.for(['commit', '  ROLLBACK', 'begin', 'savepoint a'])(
    'cannot ask for "%s"',
    async (text) => {
      const name = newName()
      const definition = startDefinition(name).each({
        on: { added: (_db, { data }) => (data.key.startsWith(name) ? sql.raw(text) : null) },
      })
      await appendAmounts(name, [1])
      await using _follower = await follow(database, definition)
      expect(await untilFailed(definition, 'HANDLER_FAILED')).toMatchObject({
        message: expect.stringContaining('shares the transaction of its chunk'),
      })
    },
  )

  test('finds what the search path of the session holds, behind its own tables', async () => {
    const name = newName()
    await database.pool.query(`
      create table if not exists numbers (key text, n integer);
      create or replace function double(n integer) returns integer return n * 2`)
    const definition = startDefinition(name).each({
      on: {
        added: (_db, { data }) =>
          data.key.startsWith(name)
            ? sql`insert into numbers values (${data.key}, double(${data.amount}))`
            : [],
      },
    })
    await appendAmounts(name, [21])
    await using follower = await follow(database, definition)
    await follower.untilCaughtUp()
    expect(await readTable(definition, 'numbers', name)).toEqual([{ key: `${name}/0`, n: 42 }])
    expect((await database.pool.query('select from numbers')).rowCount).toBe(0)
  })
})
