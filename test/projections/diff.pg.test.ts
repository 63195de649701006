import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStore, integer, projection, type Store, table, text } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { Counted, counted, counts } from './counts.ts'
import { commit, follow, headPosition } from './fixtures.ts'

const database = useDatabase()
let store: Store
let projections = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  await commit(database.pool, counted(30))
})

afterAll(() => store.close())

/** Makes version 1 of a projection live and version 2 ready. */
async function prepare(): Promise<string> {
  projections += 1
  const name = `diff_${projections}`
  await using first = await follow(database, counts(name, 1))
  await first.untilCaughtUp()
  await store.rebuild(counts(name, 2))
  return name
}

/** Two schemas of the user's tables, as if they were those of a projection's versions. */
async function prepareTables(one: string, other: string): Promise<string> {
  const name = await prepare()
  await database.pool.query(`
    drop table ${name}_v1.totals cascade; drop table ${name}_v2.totals;
    drop table ${name}_v1.counts cascade; drop table ${name}_v2.counts;
    set search_path = ${name}_v1; ${one};
    set search_path = ${name}_v2; ${other};
    reset search_path`)
  return name
}

describe('two versions', () => {
  test('with the same rows are the same, besides what is ignored', async () => {
    const name = await prepare()
    const result = await store.diff(name, { ignore: ['counts.version', 'totals.version'] })
    expect(result).toMatchObject({
      projection: name,
      from: 1,
      to: 2,
      position: await headPosition(database.pool),
      isSame: true,
      tables: [
        { table: 'counts', key: ['key'], compared: ['count'], same: 3n, differ: 0n, samples: [] },
        { table: 'totals', key: ['key'], compared: ['total'], same: 1n, differ: 0n, samples: [] },
      ],
    })
  })

  test('are counted row by row, with samples of the columns that differ', async () => {
    const name = await prepare()
    await database.pool.query(`
      update ${name}_v2.counts set count = 99 where key = 'key-1';
      delete from ${name}_v2.counts where key = 'key-0';
      insert into ${name}_v2.counts values ('new', 7, 2)`)
    const { isSame, tables } = await store.diff(name, { ignore: ['version'] })
    expect(isSame).toBe(false)
    expect(tables[0]).toEqual({
      table: 'counts',
      key: ['key'],
      compared: ['count'],
      ignored: ['version'],
      columnsOnlyInFrom: [],
      columnsOnlyInTo: [],
      same: 1n,
      differ: 1n,
      onlyInFrom: 1n,
      onlyInTo: 1n,
      differingColumns: { count: 1n },
      samples: [
        { key: { key: 'key-0' }, from: { count: '10' }, to: null },
        { key: { key: 'key-1' }, from: { count: '10' }, to: { count: '99' } },
        { key: { key: 'new' }, from: null, to: { count: '7' } },
      ],
    })
    const few = await store.diff(name, { ignore: ['version'], samples: 1 })
    expect(few.tables[0]?.samples).toHaveLength(1)
    expect((await store.diff(name, { samples: 0 })).tables[0]?.samples).toEqual([])
  })

  test('are compared in the columns and tables that both have, and the others are named', async () => {
    const name = await prepareTables(
      'create table a (k int primary key, x int, gone text); create table old (); insert into a values (1, 1, 2)',
      'create table a (k int primary key, came text, x int); create table new (); insert into a values (1, 2, 1)',
    )
    const result = await store.diff(name)
    expect(result).toMatchObject({
      isSame: true,
      tablesOnlyInFrom: ['old'],
      tablesOnlyInTo: ['new'],
      tables: [
        { compared: ['x'], columnsOnlyInFrom: ['gone'], columnsOnlyInTo: ['came'], same: 1n },
      ],
    })
  })

  test.for([
    ['integer and bigint', 'int', '5', 'bigint', '5', true],
    ['integer and numeric', 'int', '5', 'numeric', '5.0', true],
    ['integer and text', 'int', '5', 'text', "'5'", true],
    ['text of other bytes', 'text', "'e\u0301'", 'text', "'\u00e9'", false],
    ['texts of other collations', 'text collate "C"', "'a'", 'text collate "POSIX"', "'a'", true],
    ['null and null', 'int', 'null', 'int', 'null', true],
    ['null and a value', 'int', 'null', 'int', '0', false],
    ['json, which has no equality', 'json', `'{"a":1}'`, 'json', `'{"a":1}'`, true],
    ['json that is written otherwise', 'json', `'{"a":1}'`, 'json', `'{"a": 1}'`, false],
    ['jsonb that is written otherwise', 'jsonb', `'{"a":1}'`, 'jsonb', `'{"a": 1}'`, true],
    ['arrays of json', 'json[]', `array['1'::json]`, 'json[]', `array['2'::json]`, false],
    ['arrays of text', 'text[]', `'{a,null}'`, 'text[]', `'{a,null}'`, true],
    ['points, which have no order', 'point', `'1,1'`, 'point', `'1,2'`, false],
    ['numerics of another scale', 'numeric', '1.0', 'numeric', '1.00', true],
    ['ranges', 'int4range', `'[1,3)'`, 'int4range', `'[1,2]'`, true],
    ['inet', 'inet', `'10.0.0.1'`, 'inet', `'10.0.0.2'`, false],
    ['varchar and text', 'varchar(9)', `'a'`, 'text', `'a'`, true],
    ['dates and texts', 'date', `'2026-11-21'`, 'text', `'2026-11-21'`, true],
  ] as const)('compare %s', async ([, one, first, other, second, isSame]) => {
    for (const key of ['k int primary key', 'k int']) {
      const name = await prepareTables(
        `create table a (${key}, x ${one}); insert into a values (1, ${first})`,
        `create table a (${key}, x ${other}); insert into a values (1, ${second})`,
      )
      const result = await store.diff(name)
      expect(result.isSame, key).toBe(isSame)
      expect(result.tables[0]?.key).toEqual(key === 'k int' ? [] : ['k'])
      expect(result.tables[0]?.samples.length === 0).toBe(isSame)
    }
  })

  test('have keys of other types or in another order', async () => {
    const name = await prepareTables(
      'create table a (k int, l text, x int, primary key (k, l)); insert into a values (1, 2, 3), (2, 2, 9)',
      'create table a (l text collate "POSIX", k text, x int, primary key (l, k)); insert into a values (2, 1, 3), (2, 2, 8)',
    )
    const { tables } = await store.diff(name)
    expect(tables[0]).toMatchObject({ key: ['k', 'l'], same: 1n, differ: 1n })
    expect(tables[0]?.samples).toEqual([
      { key: { k: '2', l: '2' }, from: { x: '9' }, to: { x: '8' } },
    ])
  })

  test('without a common key are compared as whole rows, as many as there are', async () => {
    const rows = fc.array(fc.record({ a: fc.option(fc.nat(2)), b: fc.nat(1) }), { maxLength: 12 })
    const name = await prepareTables(
      'create table a (a int, b int)',
      'create table a (a int, b int)',
    )
    await fc.assert(
      fc.asyncProperty(rows, rows, async (one, other) => {
        await fill(`${name}_v1.a`, one)
        await fill(`${name}_v2.a`, other)
        const { tables } = await store.diff(name, { samples: 100 })
        const rest = other.map((row) => JSON.stringify(row))
        const only = one.filter((row) => {
          const at = rest.indexOf(JSON.stringify(row))
          if (at >= 0) rest.splice(at, 1)
          return at < 0
        })
        expect(tables[0]).toMatchObject({
          key: [],
          same: BigInt(one.length - only.length),
          onlyInFrom: BigInt(only.length),
          onlyInTo: BigInt(rest.length),
        })
      }),
      { numRuns: 30 },
    )
  })

  test('are counted by key as a comparison in memory counts them', async () => {
    const rows = fc.uniqueArray(fc.record({ a: fc.nat(6), b: fc.option(fc.nat(1)) }), {
      selector: ({ a }) => a,
    })
    const create = 'create table a (a int primary key, b int)'
    const name = await prepareTables(create, create)
    await fc.assert(
      fc.asyncProperty(rows, rows, async (one, other) => {
        await fill(`${name}_v1.a`, one)
        await fill(`${name}_v2.a`, other)
        const { tables } = await store.diff(name, { samples: 100 })
        const partner = (a: number) => other.find((row) => row.a === a)
        const pairs = one.map((row) => [row, partner(row.a)] as const)
        const paired = pairs.filter(([, row]) => row !== undefined)
        const differ = paired.filter(([row, { b } = row]) => row.b !== b)
        expect(tables[0]).toMatchObject({
          same: BigInt(paired.length - differ.length),
          differ: BigInt(differ.length),
          onlyInFrom: BigInt(one.length - paired.length),
          onlyInTo: BigInt(other.length - paired.length),
        })
        const keys = tables[0]?.samples.map(({ key }) => Number(key.a))
        expect(keys).toEqual(keys?.toSorted((a, b) => a - b))
      }),
      { numRuns: 30 },
    )
  })
})

async function fill(name: string, rows: readonly object[]): Promise<void> {
  await database.pool.query(`truncate ${name}`)
  await database.pool.query(
    `insert into ${name} select * from jsonb_populate_recordset(null::${name}, $1)`,
    [JSON.stringify(rows)],
  )
}

describe('a query of the user', () => {
  test('says itself what differs', async () => {
    const name = await prepare()
    await database.pool.query(`update ${name}_v2.counts set count = count * 2 where key > 'key-0'`)
    const sql = `
      select f.key, f.count as before, t.count as after
      from {from}.counts as f
      join {to}.counts as t using (key)
      where t.count <> f.count
      order by key;`
    expect(await store.diff(name, { sql, samples: 1 })).toMatchObject({
      isSame: false,
      tables: [],
      query: { rows: 2n, samples: [{ key: 'key-1', before: '10', after: '20' }] },
    })
    const none = 'select 1 from {from}.counts where count < 0'
    expect(await store.diff(name, { sql: none })).toMatchObject({
      isSame: true,
      query: { rows: 0n, samples: [] },
    })
    const many = 'select n from generate_series(1, 2500) as n'
    expect((await store.diff(name, { sql: many })).query?.rows).toBe(2_500n)
  })

  test.for([
    'selec 1',
    'select * from {from}.nothing',
    'select 1; select 2',
    'select 1; rollback',
    'delete from {from}.counts returning *',
    'select 1 / (count - count) from {from}.counts',
    "select nextval('tidemark.events_insert_id_seq')",
  ])('is refused when it is none that reads: %s', async (sql) => {
    const name = await prepare()
    await expect(store.diff(name, { sql })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { option: 'sql' },
    })
    expect((await store.diff(name, { ignore: ['version'] })).isSame).toBe(true)
  })
})

describe('both versions are read at one position', () => {
  test('while events keep coming, and neither their workers nor the appends stop', async () => {
    const name = await prepare()
    await using _first = await follow(database, counts(name, 1), { batchSize: 10 })
    await using _second = await follow(database, counts(name, 2), { batchSize: 7 })
    let appended = 0
    await using writer = inBackground(async (signal) => {
      for (; !signal.aborted; appended += 1) await commit(database.pool, counted(2))
    })
    const positions: bigint[] = []
    for (let round = 0; round < 15; round += 1) {
      const before = appended
      const { isSame, position, tables } = await store.diff(name, { ignore: ['version'] })
      expect({ isSame, tables }).toMatchObject({ isSame: true })
      positions.push(position)
      await until('the writer to go on', () => appended > before)
    }
    expect(new Set(positions).size).toBeGreaterThan(10)
    await writer.stop()
  })

  test('or not at all: one that nobody follows is said to be behind', async () => {
    const name = await prepare()
    await commit(database.pool, counted(5))
    await using first = await follow(database, counts(name, 1))
    await first.untilCaughtUp()
    await expect(store.diff(name, { timeoutMs: 1_500 })).rejects.toMatchObject({
      code: 'PROJECTION_BEHIND',
      details: { projection: name, version: 2, lag: 5n },
    })
    await commit(database.pool, counted(1))
    await first.untilCaughtUp()
  })

  test('when a transaction of a chunk holds one back, as soon as it ends', async () => {
    const name = await prepare()
    await using first = await follow(database, counts(name, 1))
    const chunk = await database.client()
    await chunk.query('begin')
    await chunk.query(
      `update tidemark.subscriptions set position = position where name = $1 and version = 2`,
      [name],
    )
    await commit(database.pool, counted(5))
    await first.untilCaughtUp()
    await using _second = await follow(database, counts(name, 2))
    const comparing = store.diff(name, { ignore: ['version'] })
    await until('positions to be held back', async () => {
      const { rows } = await database.pool.query(
        `select from pg_locks where relation = 'tidemark.sequencer'::regclass and mode = 'RowShareLock'`,
      )
      return rows.length > 0
    })
    await chunk.query('commit')
    expect(await comparing).toMatchObject({
      isSame: true,
      position: await headPosition(database.pool),
    })
  })

  test('with one connection alone, when the log rests', async () => {
    const name = await prepare()
    const { connectionString } = database
    await using small = await createStore({ connectionString, maxConnections: 1 })
    expect((await small.diff(name, { ignore: ['version'] })).isSame).toBe(true)
    await commit(database.pool, counted(1))
    await using first = await follow(database, counts(name, 1))
    await first.untilCaughtUp()
    await expect(small.diff(name, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'PROJECTION_BEHIND',
    })
  })
})

describe('what is refused', () => {
  test('versions and columns that do not exist, and one version twice', async () => {
    const name = await prepare()
    await expect(store.diff('nobody')).rejects.toMatchObject({ code: 'PROJECTION_UNKNOWN' })
    await expect(store.diff(name, { to: 9 })).rejects.toMatchObject({
      code: 'PROJECTION_VERSION_UNKNOWN',
    })
    for (const options of [
      { from: 2, to: 2 },
      { ignore: ['nothing'] },
      { ignore: ['counts.key'] },
      { samples: -1 },
    ]) {
      await expect(store.diff(name, options)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }
    await store.drop(name, 2)
    await expect(store.diff(name)).rejects.toMatchObject({ code: 'PROJECTION_STATE_INVALID' })
  })

  test('nothing, when the caller has had enough', async () => {
    const name = await prepare()
    const stop = new AbortController()
    const sql = 'select pg_sleep(60)'
    const comparing = store.diff(name, { sql, signal: stop.signal })
    comparing.catch(() => {}) // reported below
    await until('the query', async () => {
      const { rows } = await database.pool.query(
        `select from pg_stat_activity where query like 'fetch%' and state = 'active' and datname = current_database()`,
      )
      return rows.length > 0
    })
    stop.abort()
    await expect(comparing).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
    await expect(store.diff(name, { signal: stop.signal })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    })
  })
})

test('a table that is new in a version is named', async () => {
  projections += 1
  const name = `diff_${projections}`
  const next = projection(name, {
    version: 2,
    events: [Counted],
    tables: { rows: table({ key: text().primaryKey(), n: integer() }) },
  }).fold('rows', { key: ({ data }) => data, on: { counted: () => ({ n: 1 }) } })
  await using first = await follow(database, counts(name, 1))
  await first.untilCaughtUp()
  await store.rebuild(next)
  expect(await store.diff(name)).toMatchObject({
    isSame: true,
    tables: [],
    tablesOnlyInFrom: ['counts', 'totals'],
    tablesOnlyInTo: ['rows'],
  })
})
