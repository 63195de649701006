import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  type AnyProjection,
  createStore,
  doublePrecision,
  integer,
  projection,
  type Store,
  table,
  text,
} from '../../src/index.ts'
import { listVersions } from '../../src/projections/versions/versions.ts'
import { createRole } from '../db/create-role.ts'
import { useDatabase } from '../support/database.ts'
import { Counted, counted, counts } from './counts.ts'
import { commit, follow, names } from './fixtures.ts'

const database = useDatabase()

let store: Store
let projections = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  await commit(database.pool, counted(30))
})

afterAll(() => store.close())

function newName(): string {
  projections += 1
  return `views_${projections}`
}

const shapes = {
  base: { key: text().primaryKey(), count: integer(), note: text().nullable() },
  grown: {
    key: text().primaryKey(),
    count: integer(),
    note: text().nullable(),
    more: text().nullable(),
  },
  shrunk: { key: text().primaryKey(), count: integer() },
  reordered: { key: text().primaryKey(), note: text().nullable(), count: integer() },
  retyped: {
    key: text().primaryKey(),
    count: doublePrecision().nullable(),
    note: text().nullable(),
  },
}

/** One table, in one of the shapes. */
function shaped(name: string, version: number, shape: keyof typeof shapes) {
  const definition = projection(name, {
    version,
    events: [Counted],
    tables: { items: table(shapes[shape]) },
  })
  return definition.fold('items', {
    key: ({ data }) => ({ key: data.key }),
    on: { counted: () => ({ count: version }) as never },
  })
}

/** Makes version 1 live and version 2 ready. */
async function prepare(first: AnyProjection, second: AnyProjection): Promise<void> {
  await using follower = await follow(database, first)
  await follower.untilCaughtUp()
  await store.rebuild(second)
}

async function statesOf(name: string): Promise<string[]> {
  const versions = await listVersions(database.pool, names, name)
  return versions.map(({ version, state }) => `${version} ${state}`)
}

async function columnsOf(schema: string, view: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    /* sql */ `
    select column_name as name
    from information_schema.columns
    where table_schema = $1 and table_name = $2
    order by ordinal_position`,
    [schema, view],
  )
  return rows.map(({ name }) => name)
}

describe('after a promote', () => {
  test.for(['grown', 'shrunk', 'reordered', 'retyped'] as const)(
    'grants on the views are as before, and the columns are those of the new version: %s',
    async (shape) => {
      const name = newName()
      await prepare(shaped(name, 1, 'base'), shaped(name, 2, shape))
      const reader = await newRole()
      await database.pool.query(`
        grant select on ${name}.items to ${reader} with grant option;
        grant select, update on ${name}.items to public;
      `)
      const before = await grantsOn(name)
      expect(before).toHaveLength(3)

      await store.promote(name)
      // A view keeps the order that its columns had.
      const columns = Object.keys(shapes[shape === 'reordered' ? 'base' : shape])
      expect(await columnsOf(name, 'items')).toEqual(columns)
      expect(await grantsOn(name)).toEqual(before)
      await store.rollback(name)
      expect(await columnsOf(name, 'items')).toEqual(Object.keys(shapes.base))
      expect(await grantsOn(name)).toEqual(before)
    },
  )

  test('grants on single columns are as before', async () => {
    const name = newName()
    await prepare(shaped(name, 1, 'base'), shaped(name, 2, 'reordered'))
    const reader = await newRole()
    await database.pool.query(`grant select (key, count) on ${name}.items to ${reader}`)
    const before = await grantsOn(name)
    expect(before).toHaveLength(2)
    await store.promote(name)
    expect(await grantsOn(name)).toEqual(before)
  })

  test('tables that are new or gone have and have not their views', async () => {
    const name = newName()
    const two = counts(name, 1)
    const other = projection(name, {
      version: 2,
      events: [Counted],
      tables: { counts: table(shapes.shrunk), items: table(shapes.shrunk) },
    }).fold('items', {
      key: ({ data }) => ({ key: data.key }),
      on: { counted: () => ({ count: 1 }) },
    })
    await prepare(two as never, other as never)
    const views = async () => {
      const { rows } = await database.pool.query(
        'select viewname from pg_views where schemaname = $1 order by 1',
        [name],
      )
      return rows.map(({ viewname }) => viewname)
    }
    expect(await views()).toEqual(['counts', 'totals'])
    await store.promote(name)
    expect(await views()).toEqual(['counts', 'items'])
    await store.rollback(name)
    expect(await views()).toEqual(['counts', 'totals'])
  })
})

async function newRole(): Promise<string> {
  const role = await createRole()
  onTestFinished(async () => {
    await database.pool.query(`drop owned by ${role.name}`)
    await role[Symbol.asyncDispose]()
  })
  return role.name
}

/** Grants on the view and on its columns, without the owner's. */
async function grantsOn(schema: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ line: string }>(
    /* sql */ `
    select concat_ws(' ', a.privilege_type, a.grantee::regrole, a.is_grantable, c.name) as line
    from (
      select '' as name, relacl as acl, relowner as owner
      from pg_class
      where oid = ($1 || '.items')::regclass
      union all
      select attname, attacl, 0
      from pg_attribute
      where attrelid = ($1 || '.items')::regclass and attnum > 0
    ) as c
    cross join lateral aclexplode(c.acl) as a
    where a.grantee <> c.owner
    order by line`,
    [schema],
  )
  return rows.map(({ line }) => line)
}

describe('a reader', () => {
  const orders = {
    'in the order of the switch': (name: string) => `${name}.counts as a, ${name}.totals as b`,
    'in the other order': (name: string) => `${name}.totals as a, ${name}.counts as b`,
  }

  test.for(Object.entries(orders))(
    'of two views in one statement never sees two versions, nor an error: %s',
    { timeout: 60_000 },
    async ([, from]) => {
      const name = newName()
      await prepare(counts(name, 1) as never, counts(name, 2) as never)
      const query = `select array_agg(distinct array[a.version, b.version]) as seen from ${from(name)}`
      const seen = new Set<string>()
      let isOver = false
      const readers = [{ text: query }, { text: query, name: `prepared-${name}` }].map(
        async (statement) => {
          const client = await database.client()
          for (let reads = 0; !isOver || reads < 10; reads += 1) {
            const { rows } = await client.query(statement)
            seen.add(JSON.stringify(rows[0].seen))
          }
        },
      )
      try {
        for (let round = 0; round < 30; round += 1) {
          await store.promote(name)
          await store.rollback(name)
        }
      } finally {
        isOver = true
      }
      await Promise.all(readers)
      expect([...seen].sort()).toEqual(['[[1,1]]', '[[2,2]]'])
    },
  )

  test('of one view, of two, prepared or in a long snapshot sees no error and no mixture in 50 switches', {
    timeout: 60_000,
  }, async () => {
    const name = newName()
    await prepare(counts(name, 1) as never, counts(name, 2) as never)
    const one = `select array_agg(distinct version) as seen from ${name}.counts`
    const two = `
        select array_agg(distinct a.version) || array_agg(distinct b.version) as seen
        from ${name}.totals as b, ${name}.counts as a`
    const seen = new Set<string>()
    let isOver = false
    const ask = async (client: pg.Client, text: string, statement?: string) => {
      const { rows } = await client.query({ text, ...(statement && { name: statement }) })
      const versions = [...new Set(rows[0].seen as number[])]
      seen.add(JSON.stringify(versions))
      return versions
    }
    const askInSnapshot = async (client: pg.Client) => {
      await client.query('begin isolation level repeatable read')
      const all = [await ask(client, one), await ask(client, two), await ask(client, one)]
      await client.query('commit')
      expect(new Set(all.flat()).size).toBe(1)
    }
    const readers = [0, 1].map(async () => {
      const client = await database.client()
      for (let reads = 0; !isOver || reads < 10; reads += 1) {
        await ask(client, one)
        await ask(client, one, 'one')
        await ask(client, two)
        await ask(client, two, 'two')
        await askInSnapshot(client)
      }
    })
    try {
      for (let round = 0; round < 25; round += 1) {
        await store.promote(name, { maxAttempts: 100 })
        await store.rollback(name, { maxAttempts: 100 })
      }
    } finally {
      isOver = true
    }
    await Promise.all(readers)
    expect([...seen].sort()).toEqual(['[1]', '[2]'])
  })

  test('that keeps a view in use for long makes a switch give up, and nothing changes', async () => {
    const name = newName()
    await prepare(counts(name, 1) as never, counts(name, 2) as never)
    const reader = await database.client()
    await holdView(reader, name)
    await expect(store.promote(name, { lockTimeoutMs: 50, maxAttempts: 2 })).rejects.toMatchObject({
      code: 'LOCK_TIMED_OUT',
      details: { resource: `views of projection "${name}"`, timeoutMs: 50 },
    })
    expect(await statesOf(name)).toEqual(['1 live', '2 ready'])
    expect(await versionShown(name)).toEqual([1, 1])

    await reader.query('commit')
    await store.promote(name, { lockTimeoutMs: 50 })
    expect(await versionShown(name)).toEqual([2, 2])
  })

  test('that ends in time only delays a switch', async () => {
    const name = newName()
    await prepare(counts(name, 1) as never, counts(name, 2) as never)
    const reader = await database.client()
    await holdView(reader, name)
    const promoting = store.promote(name, { lockTimeoutMs: 100, maxAttempts: 100 })
    const other = await database.client()
    const { rows } = await other.query(`select version from ${name}.totals`)
    expect(rows).toEqual([{ version: 1 }])
    await reader.query('commit')
    expect(await promoting).toMatchObject({ live: 2 })
  })
})

async function holdView(reader: pg.Client, name: string): Promise<void> {
  await reader.query('begin')
  await reader.query(`select * from ${name}.totals`)
}

async function versionShown(name: string): Promise<number[]> {
  const { rows } = await database.pool.query(
    `select distinct c.version as c, t.version as t from ${name}.counts as c, ${name}.totals as t`,
  )
  return rows.flatMap(({ c, t }) => [c, t])
}
