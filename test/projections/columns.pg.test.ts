import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  bigint,
  boolean,
  createStore,
  date,
  event,
  integer,
  type Json,
  jsonb,
  numeric,
  projection,
  type Store,
  table,
  text,
  timestamptz,
  uuid,
} from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { commit, follow } from './fixtures.ts'

const database = useDatabase()

/** An event only chooses the values: most of them could not stand in JSON. */
const Chosen = event('chosen').v(1, z.object({ projection: z.string(), place: z.int() }))

let store: Store
let projections = 0

beforeAll(async () => {
  store = await openStore()
})

afterAll(() => store.close())

afterEach(() => database.pool.query(`alter database ${database.name} reset all`))

function openStore(): Promise<Store> {
  return createStore({ connectionString: database.connectionString })
}

function newName(): string {
  projections += 1
  return `values_${projections}`
}

interface Values {
  readonly t: string
  readonly i: number
  readonly b: bigint
  readonly n: string
  readonly o: boolean
  readonly u: string
  readonly d: string
  readonly z: Date
  readonly j: Json
}

const usual: Values = {
  t: '',
  i: 0,
  b: 0n,
  n: '0',
  o: false,
  u: '00000000-0000-0000-0000-000000000000',
  d: '2026-11-21',
  z: new Date(0),
  j: {},
}

const samples: readonly Values[] = [
  { ...usual, t: `'";\\ %s $1 {a,b} NULL null \t\n\r` },
  { ...usual, t: 'naïve 🦔 \u202e\u0001\ufeff\ud7ff', i: 2_147_483_647 },
  { ...usual, t: 'null', i: -2_147_483_648, o: true },
  { ...usual, b: 9_223_372_036_854_775_807n, n: '0.10' },
  { ...usual, b: -9_223_372_036_854_775_808n, n: '-0.000000000000000000000000000001' },
  { ...usual, b: 9_007_199_254_740_993n, n: '123456789012345678901234567890.12345678900' },
  { ...usual, n: 'NaN', u: 'ffffffff-ffff-ffff-ffff-ffffffffffff' },
  { ...usual, d: '1969-12-31', z: new Date('1969-12-31T23:59:59.999Z') },
  { ...usual, d: '0001-01-01', z: new Date('0001-01-01T00:00:00.000Z') },
  { ...usual, d: '9999-12-31', z: new Date('9999-12-31T23:59:59.999Z') },
  { ...usual, d: '1900-03-01', z: new Date('1900-03-01T12:34:56.789Z') },
  { ...usual, d: '2026-03-29', z: new Date('2026-03-29T01:30:00.001Z') },
  { ...usual, d: '2024-02-29', z: new Date('2026-10-25T00:30:00.010Z') },
  { ...usual, j: 'null' },
  { ...usual, j: '"\\ \' 🦔' },
  { ...usual, j: [] },
  { ...usual, j: [null, [null], { a: null }] },
  { ...usual, j: { a: { b: [1, -1.5, 1e-7, 1e21, 9_007_199_254_740_991] }, null: null, '': '' } },
  { ...usual, j: false },
  { ...usual, j: 0 },
]

const columns = {
  t: text(),
  i: integer(),
  b: bigint(),
  n: numeric(),
  o: boolean(),
  u: uuid(),
  d: date(),
  z: timestamptz(),
  j: jsonb(),
}

/** Writes every sample by a fold, then has a second fold, without a cache, read the rows again. */
async function roundTrip(opened: Store) {
  const name = newName()
  const seen: unknown[] = []
  const definition = projection(name, {
    version: 1,
    events: [Chosen],
    tables: { samples: table({ place: integer().primaryKey(), ...columns }) },
  }).fold('samples', {
    key: ({ data }) => (data.projection === name ? { place: data.place } : null),
    on: {
      chosen: (row, { data }) => {
        if (row === null) return samples[data.place] ?? null
        seen[data.place] = row
        return row
      },
    },
  })
  const choices = samples.map((_, place) => Chosen({ projection: name, place }))
  for (const _ of ['write', 'read']) {
    await commit(database.pool, choices)
    await using follower = await follow(database, definition)
    await follower.untilCaughtUp()
  }
  const query = await opened.query(definition)
  const found = await query.selectFrom('samples').selectAll().orderBy('place').execute()
  return { seen, found, expected: samples.map((sample, place) => ({ place, ...sample })) }
}

describe('a value of any type', () => {
  test('comes back exactly, to the next reducer and to a query', async () => {
    const { seen, found, expected } = await roundTrip(store)
    expect(seen).toEqual(expected)
    expect(found).toEqual(expected)
  })

  test.for([
    ['America/St_Johns', 'SQL, DMY'],
    ['Asia/Kathmandu', 'German'],
    ['Pacific/Kiritimati', 'Postgres, MDY'],
  ])('comes back exactly in time zone %s with date style %s', async ([zone, style]) => {
    await database.pool.query(`alter database ${database.name} set timezone to '${zone}'`)
    await database.pool.query(`alter database ${database.name} set datestyle to '${style}'`)
    await using opened = await openStore()
    const { seen, found, expected } = await roundTrip(opened)
    expect(seen).toEqual(expected)
    expect(found).toEqual(expected)
  })

  test.for(['INT8', 'NUMERIC', 'DATE', 'TIMESTAMPTZ'] as const)(
    "comes back exactly when the program has changed pg's parser of %s",
    async (type) => {
      const oid = pg.types.builtins[type]
      const before = pg.types.getTypeParser(oid, 'text')
      onTestFinished(() => pg.types.setTypeParser(oid, before))
      pg.types.setTypeParser(oid, (value: string) => `parsed ${value}`)
      const { seen, found, expected } = await roundTrip(store)
      expect(seen).toEqual(expected)
      expect(found).toEqual(expected)
    },
  )

  test('comes back exactly from an aggregate of a bigint column', async () => {
    const name = newName()
    const definition = projection(name, {
      version: 1,
      events: [Chosen],
      tables: { sums: table({ place: integer().primaryKey(), amount: bigint() }) },
    }).fold('sums', {
      key: ({ data }) => (data.projection === name ? { place: data.place } : null),
      on: { chosen: () => ({ amount: 9_007_199_254_740_993n }) },
    })
    await commit(database.pool, [Chosen({ projection: name, place: 1 })])
    await using follower = await follow(database, definition)
    await follower.untilCaughtUp()
    const query = await store.query(definition)
    const max = await query
      .selectFrom('sums')
      .select(({ fn }) => fn.max('amount').as('most'))
      .where('amount', '=', 9_007_199_254_740_993n)
      .executeTakeFirst()
    expect(max).toEqual({ most: 9_007_199_254_740_993n })
  })
})

test('a nullable column holds null, a defaulted one its default, when a row leaves them out', async () => {
  const name = newName()
  const definition = projection(name, {
    version: 1,
    events: [Chosen],
    tables: {
      optional: table({
        place: integer().primaryKey(),
        note: text().nullable(),
        at: timestamptz().nullable(),
        extra: jsonb().nullable(),
        count: bigint().default(7n),
        list: jsonb<string[]>().default(['a']),
        maybe: text().nullable().default('x'),
        perhaps: text().default('y').nullable(),
      }),
    },
  }).fold('optional', {
    key: ({ data }) => (data.projection === name ? { place: data.place } : null),
    on: {
      chosen: (_row, { data }) =>
        data.place === 1
          ? {}
          : { note: null, at: null, extra: null, count: 1n, list: [], maybe: null, perhaps: null },
    },
  })
  await commit(database.pool, [
    Chosen({ projection: name, place: 1 }),
    Chosen({ projection: name, place: 2 }),
  ])
  await using follower = await follow(database, definition)
  await follower.untilCaughtUp()
  const query = await store.query(definition)
  const nothing = { note: null, at: null, extra: null }
  expect(await query.selectFrom('optional').selectAll().orderBy('place').execute()).toEqual([
    { place: 1, ...nothing, count: 7n, list: ['a'], maybe: 'x', perhaps: 'y' },
    { place: 2, ...nothing, count: 1n, list: [], maybe: null, perhaps: null },
  ])
})

test('a jsonb column that is not nullable holds the JSON value null', async () => {
  const name = newName()
  const definition = projection(name, {
    version: 1,
    events: [Chosen],
    tables: { documents: table({ place: integer().primaryKey(), body: jsonb() }) },
  }).fold('documents', {
    key: ({ data }) => (data.projection === name ? { place: data.place } : null),
    on: { chosen: () => ({ body: null }) },
  })
  await commit(database.pool, [Chosen({ projection: name, place: 1 })])
  await using follower = await follow(database, definition)
  await follower.untilCaughtUp()
  const query = await store.query(definition)
  expect(await query.selectFrom('documents').selectAll().execute()).toEqual([
    { place: 1, body: null },
  ])
})

describe('a key', () => {
  test('of several columns finds its row by all of them', async () => {
    const name = newName()
    const keys = [
      { t: 'a', b: 1n, o: true, u: '11111111-1111-1111-1111-111111111111' },
      { t: 'a', b: 1n, o: false, u: '11111111-1111-1111-1111-111111111111' },
      { t: 'a,1', b: 1n, o: true, u: '11111111-1111-1111-1111-111111111111' },
      { t: 'a', b: 11n, o: true, u: '11111111-1111-1111-1111-111111111111' },
      { t: 'A', b: 1n, o: true, u: '11111111-1111-1111-1111-111111111112' },
    ]
    const definition = projection(name, {
      version: 1,
      events: [Chosen],
      tables: {
        counts: table({
          t: text().primaryKey(),
          count: integer(),
          b: bigint().primaryKey(),
          o: boolean().primaryKey(),
          u: uuid().primaryKey(),
        }),
      },
    }).fold('counts', {
      key: ({ data }) => (data.projection === name ? (keys[data.place] ?? null) : null),
      on: { chosen: (row) => ({ count: (row?.count ?? 0) + 1 }) },
    })
    for (const _ of ['once', 'again']) {
      const choices = [...keys.keys()].map((place) => Chosen({ projection: name, place }))
      await commit(database.pool, choices)
      await using follower = await follow(database, definition, { batchSize: 2, maxCachedRows: 1 })
      await follower.untilCaughtUp()
    }
    const query = await store.query(definition)
    const found = await query.selectFrom('counts').selectAll().execute()
    expect(found).toHaveLength(keys.length)
    expect(found).toEqual(expect.arrayContaining(keys.map((key) => ({ ...key, count: 2 }))))
  })

  const spellings = [
    {
      type: 'uuid',
      column: uuid(),
      written: ['0A0B0C0D-0000-4000-8000-00000000000F', '0a0b0c0d-0000-4000-8000-00000000000f'],
    },
    { type: 'date', column: date(), written: ['2026-1-5', '2026-01-05'] },
    { type: 'timestamptz', column: timestamptz(), written: [new Date(1_234), new Date(1_234)] },
  ] as const

  test.each([
    ['numeric', numeric()],
    ['jsonb', jsonb()],
  ])('of type %s is refused, because equal values have several spellings', (_, column) => {
    const define = () =>
      projection('odd_keys', {
        version: 1,
        events: [event('odd.key').v(1, z.object({}))],
        tables: { odd: table({ key: column.primaryKey() as never }) },
      }).fold('odd', { key: () => ({ key: 1 }) as never, on: { 'odd.key': () => ({}) as never } })
    expect(define).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
  })

  const ways = {
    'in one chunk': [[0, 1, 0]],
    'in chunks of one process each': [[0], [0], [1]],
  }

  test.for(
    spellings.flatMap((spelling) =>
      Object.entries(ways).map(([way, chunks]) => ({ ...spelling, way, chunks })),
    ),
  )('of type $type is the same row however it is written, $way', async (example) => {
    const { column, written, chunks } = example
    const name = newName()
    const definition = projection(name, {
      version: 1,
      events: [Chosen],
      tables: { counts: table({ key: column.primaryKey() as never, count: integer() }) },
    }).fold('counts', {
      key: ({ data }) =>
        data.projection === name ? ({ key: written[data.place] } as never) : null,
      on: { chosen: (row) => ({ count: ((row as { count: number } | null)?.count ?? 0) + 1 }) },
    })
    for (const places of chunks) {
      const choices = places.map((place) => Chosen({ projection: name, place }))
      await commit(database.pool, choices)
      await using follower = await follow(database, definition)
      await follower.untilCaughtUp()
    }
    const { rows } = await database.pool.query(`select count from ${name}.counts`)
    expect(rows).toEqual([{ count: 3 }])
  })
})

test('tables whose long names begin alike keep to their own rows', async () => {
  const name = 'customer_order_statistics'
  const counts = () => table({ place: integer().primaryKey(), count: integer() })
  const totals = () => table({ place: text().primaryKey(), total: bigint() })
  const definition = projection(name, {
    version: 1,
    events: [Chosen],
    tables: { daily_totals_by_customer: counts(), daily_totals_by_product: totals() },
  })
    .fold('daily_totals_by_customer', {
      key: ({ data }) => (data.projection === name ? { place: data.place } : null),
      on: { chosen: (row) => ({ count: (row?.count ?? 0) + 1 }) },
    })
    .fold('daily_totals_by_product', {
      key: ({ data }) => (data.projection === name ? { place: `${data.place}` } : null),
      on: { chosen: (row) => ({ total: (row?.total ?? 0n) + 1n }) },
    })
  for (const _ of ['once', 'again']) {
    await commit(database.pool, [Chosen({ projection: name, place: 1 })])
    await using follower = await follow(database, definition)
    await follower.untilCaughtUp()
  }
  const query = await store.query(definition)
  expect(await query.selectFrom('daily_totals_by_customer').selectAll().execute()).toEqual([
    { place: 1, count: 2 },
  ])
  expect(await query.selectFrom('daily_totals_by_product').selectAll().execute()).toEqual([
    { place: '1', total: 2n },
  ])
})
