import { type Kysely, sql } from 'kysely'
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest'
import {
  type AnyProjection,
  bigint,
  createStore,
  integer,
  projection,
  type Token,
  table,
  text,
} from '../../src/index.ts'
import type { Columns } from '../../src/projections/tables/table.ts'
import { Counted, counted, counts } from '../projections/counts.ts'
import { follow } from '../projections/fixtures.ts'
import { dropLogSlots, sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

const openStore = (options: { readonly maxConnections?: number } = {}) =>
  createStore({ connectionString: database.connectionString, ...options })

test('several projections and a table of the user are joined', async () => {
  const left = counts('query_left', 1)
  const right = counts('query_right', 1)
  await using one = await follow(database, left)
  await using other = await follow(database, right)
  await database.pool.query('create table names (key text, name text)')
  await database.pool.query("insert into names values ('key-0', 'zero'), ('key-1', 'one')")
  await using store = await openStore()
  await store.append('query-joined', counted(4))
  await sequenceNow(database.pool)
  await Promise.all([one.untilCaughtUp(), other.untilCaughtUp()])

  const db = await store.query({ l: left, r: right })
  const query = db
    .withTables<{ 'public.names': { key: string; name: string } }>()
    .selectFrom('l.counts')
    .innerJoin('r.counts as theirs', 'theirs.key', 'l.counts.key')
    .innerJoin('public.names', 'public.names.key', 'l.counts.key')
    .select(['l.counts.key', 'l.counts.count', 'theirs.count as theirs', 'name'])
    .orderBy('l.counts.key')
  const rows = await query.execute()
  expectTypeOf(rows).toEqualTypeOf<{ key: string; count: number; theirs: number; name: string }[]>()
  expect(rows).toEqual([
    { key: 'key-0', count: 2, theirs: 2, name: 'zero' },
    { key: 'key-1', count: 1, theirs: 1, name: 'one' },
  ])
  // The columns and tables of another projection are not to be had.
  // @ts-expect-error no such table
  expect(() => db.selectFrom('l.unknown').selectAll().compile()).not.toThrow()
})

test('a name that is a schema of its own means the projection of that name', async () => {
  const projection = counts('query_shadow', 1, { schema: 'query_shadow_views' })
  await using follower = await follow(database, projection)
  await database.pool.query('create schema shadowed; create table shadowed.counts (key text)')
  await using store = await openStore()
  await store.append('query-shadow', counted(1))
  await sequenceNow(database.pool)
  await follower.untilCaughtUp()
  const db = await store.query({ shadowed: projection })
  expect(await db.selectFrom('shadowed.counts').selectAll().execute()).not.toEqual([])
})

describe('a query that waits for a projection which nobody keeps', () => {
  let definitions = 0

  function newProjection() {
    definitions += 1
    return counts(`query_stale_${definitions}`, 1)
  }

  async function appendUnseen(projection: AnyProjection): Promise<Token> {
    await (await follow(database, projection)).stop()
    await using store = await openStore()
    const { token } = await store.append(`query-stale-${Math.random()}`, counted(1))
    await sequenceNow(database.pool)
    return token
  }

  test('throws when the time is up', async () => {
    const projection = newProjection()
    const after = await appendUnseen(projection)
    await using store = await openStore()
    await expect(store.query(projection, { after, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'WAIT_TIMED_OUT',
    })
  })

  test('reads what is there, if told so, and also when the projection stands still', async () => {
    const projection = newProjection()
    const after = await appendUnseen(projection)
    await using store = await openStore()
    const options = { after, timeoutMs: 50, onTimeout: 'stale' } as const
    const slow = await store.query(projection, options)
    expect(await slow.selectFrom('counts').selectAll().execute()).toEqual(expect.any(Array))
    await database.pool.query(
      `update tidemark.subscriptions set state = 'failed', error = '{"message": "no"}'
       where name = $1`,
      [projection.name],
    )
    const stopped = await store.query({ stale: projection }, options)
    expect(await stopped.selectFrom('stale.totals').selectAll().execute()).toEqual(
      expect.any(Array),
    )
  })

  test('throws for a commit that can never come, whatever it is told', async () => {
    const projection = newProjection()
    await appendUnseen(projection)
    await using store = await openStore()
    await expect(
      store.query(projection, { after: 'no token', onTimeout: 'stale' }),
    ).rejects.toMatchObject({ code: 'TOKEN_INVALID' })
    const client = await database.client()
    await client.query('begin')
    const { rows } = await client.query('select pg_current_xact_id()::text as id')
    await client.query('rollback')
    await expect(
      store.query(projection, { after: `1.${rows[0].id}`, timeoutMs: 50, onTimeout: 'stale' }),
    ).rejects.toMatchObject({ code: 'TRANSACTION_NOT_COMMITTED' })
  })
})

describe('the first query of a definition', () => {
  const shaped = (version: number, columns: Columns) =>
    projection('query_shape', {
      version,
      events: [Counted],
      tables: { items: table({ key: text().primaryKey(), ...columns }) },
    }).each({ on: { counted: () => null } })

  test('says that there is no such projection, or version', async () => {
    await using store = await openStore()
    await expect(store.query(counts('query_nowhere', 1))).rejects.toMatchObject({
      code: 'PROJECTION_UNKNOWN',
    })
    await using _follower = await follow(database, counts('query_first', 1))
    await expect(store.query(counts('query_first', 2), { from: 'defined' })).rejects.toMatchObject({
      code: 'PROJECTION_VERSION_UNKNOWN',
    })
  })

  test('says what the live version lacks, and is content with more', async () => {
    await using _follower = await follow(
      database,
      shaped(1, { a: integer(), b: bigint(), c: text() }),
    )
    await using store = await openStore()
    const query = (columns: Columns, from: 'live' | 'defined' = 'live') =>
      store.query(shaped(from === 'live' ? 2 : 1, columns), { from })
    await expect(query({ a: integer(), c: text() })).resolves.toBeDefined()
    await expect(query({ a: integer(), z: text() })).rejects.toMatchObject({
      code: 'PROJECTION_DRIFTED',
      message:
        'projection "query_shape": its live version 1 has no column "z" in "items": ' +
        'this code declares version 2',
    })
    await expect(query({ b: integer() }, 'defined')).rejects.toMatchObject({
      code: 'PROJECTION_DRIFTED',
      message: expect.stringContaining('has column "b" in "items" as bigint instead of integer'),
    })
  })
})

test('a query that fails because tables have changed since says which, and what to do', async () => {
  const definition = counts('query_altered', 1)
  await using follower = await follow(database, definition)
  // What it has yet to apply would be written once the column is back.
  await follower.untilCaughtUp()
  await using store = await openStore({ maxConnections: 1 })
  const db = await store.query(definition)
  const read = () => db.selectFrom('counts').selectAll().where('count', '>', 0).execute()
  expect(await read()).toEqual(expect.any(Array))
  const alter = (change: string) => database.pool.query(`alter ${change}`)
  // The view goes with the column.
  await alter('table query_altered_v1.counts drop column count cascade')
  const refusal = {
    code: 'PROJECTION_DRIFTED',
    message:
      'projection "query_altered" version 1: its live version 1 has no column "key" in "counts", because ' +
      'somebody changed its tables: table "counts": column "count" is not there: expected integer not ' +
      'null: undo it, or raise `version` in its definition and rebuild',
    cause: { code: '42P01' },
  }
  await expect(read()).rejects.toMatchObject(refusal)
  await expect(store.query(definition)).rejects.toMatchObject({ message: refusal.message })
  // Tables are as they were, the view is not; a mistake of the query's own stays what it is.
  await alter('table query_altered_v1.counts add column count integer not null default 0')
  await expect(read()).rejects.toMatchObject({
    code: 'PROJECTION_DRIFTED',
    message: expect.stringContaining('because somebody changed its views: raise `version`'),
  })
  await database.pool.query(
    'create view query_altered.counts as select * from query_altered_v1.counts',
  )
  expect(await read()).toEqual([])
  const mistaken = db.selectFrom('counts').select(sql`no_such`.as('x')).execute()
  await expect(mistaken).rejects.toMatchObject({ code: '42703' })
  await expect(store.readSql(definition, 'select no_such from counts')).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  })
  await alter('view query_altered.counts rename column count to renamed')
  await expect(store.readSql(definition, 'select count from counts')).rejects.toMatchObject({
    code: 'PROJECTION_DRIFTED',
  })
})

test('a query can write nothing, whatever its types are', async () => {
  const definition = counts('query_writes', 1)
  await using _follower = await follow(database, definition)
  await using store = await openStore()
  const db = await store.query(definition)
  const kysely = db as unknown as Kysely<{ counts: { key: string } }>
  for (const write of [
    kysely.deleteFrom('counts').execute(),
    sql`create table public.stray (n integer)`.execute(kysely),
  ]) {
    await expect(write).rejects.toMatchObject({ code: '25006' })
  }
  // The connections are good for others.
  expect(await db.selectFrom('counts').selectAll().execute()).toEqual(expect.any(Array))
  await expect(sql`select 1 / 0`.execute(kysely)).rejects.toMatchObject({ code: '22012' })
  await store.append('query-writes', counted(1))
})
