import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyProjection,
  array,
  bigint,
  type Columns,
  createStore,
  doublePrecision,
  enumeration,
  event,
  foreignKey,
  integer,
  jsonb,
  projection,
  type Store,
  type TableOptions,
  table,
  text,
  timestamptz,
} from '../../src/index.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { commit, follow, names, timeoutMs } from './fixtures.ts'

const database = useDatabase()
let store: Store
let made = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
})

afterAll(() => store.close())

const Put = event('put').v(
  1,
  z.object({
    to: z.string(),
    id: z.int(),
    mail: z.string().optional(),
    parent: z.int().optional(),
  }),
)
const Removed = event('removed').v(1, z.object({ to: z.string(), id: z.int() }))

function newName(): string {
  made += 1
  return `made_${made}`
}

/** Applies the events of one commit, which is one chunk. */
async function apply(definition: AnyProjection, events: Parameters<typeof commit>[1]) {
  await commit(database.pool, events)
  await using follower = await follow(database, definition)
  await follower.untilCaughtUp()
}

/** Waits until the projection stands still, and tells why. */
async function reasonOfStop(definition: AnyProjection): Promise<string> {
  return until(
    `projection "${definition.name}" to fail`,
    async (saw) => {
      const { rows } = await database.pool.query(
        "select error from tidemark.subscriptions where name = $1 and state = 'failed'",
        [definition.name],
      )
      saw(rows)
      return rows.length > 0 && JSON.stringify(rows[0].error)
    },
    { timeoutMs },
  )
}

async function rowsOf(relation: string, order = 'id') {
  const { rows } = await database.pool.query(`select * from ${relation} order by ${order}`)
  return rows
}

describe('a default', () => {
  test('is what SQL by hand and a fold both store', async () => {
    const name = newName()
    const definition = projection(name, {
      version: 1,
      events: [Put],
      tables: {
        defaulted: table({
          id: integer().primaryKey(),
          note: text().default("it's a \\ 'quoted' \n one"),
          count: bigint().default(-7n),
          list: array(text().nullable()).default(['a', null, '"', '{,}', 'NULL']),
          doc: jsonb().default({ b: [1], a: null }),
          nothing: jsonb().default(null),
          at: timestamptz().default(new Date(1_234)),
          rate: doublePrecision().default(-0),
          state: enumeration('open', "it's paid").default("it's paid"),
          maybe: text().nullable(),
          perhaps: text().nullable().default('x'),
        }),
      },
    }).fold('defaulted', {
      key: ({ data }) => (data.to === name ? { id: data.id } : null),
      on: { put: () => ({}) },
    })
    await apply(definition, [Put({ to: name, id: 1 })])
    await database.pool.query(`insert into ${name}_v1.defaulted (id) values (2)`)
    const query = await store.query(definition)
    const [folded, byHand] = await query.selectFrom('defaulted').selectAll().orderBy('id').execute()
    expect(byHand).toStrictEqual({ ...folded, id: 2 })
    expect(folded).toStrictEqual({
      id: 1,
      note: "it's a \\ 'quoted' \n one",
      count: -7n,
      list: ['a', null, '"', '{,}', 'NULL'],
      doc: { a: null, b: [1] },
      nothing: null,
      at: new Date(1_234),
      rate: -0,
      state: "it's paid",
      maybe: null,
      perhaps: 'x',
    })
  })
})

test('a generated column is computed from the row, read by queries and unknown to reducers', async () => {
  const name = newName()
  const seen: unknown[] = []
  const definition = projection(name, {
    version: 1,
    events: [Put],
    tables: {
      generated: table({
        id: integer().primaryKey(),
        mail: text(),
        domain: text().generatedAs("split_part(mail, '@', 2)"),
      }),
    },
  }).fold('generated', {
    key: ({ data }) => (data.to === name ? { id: data.id } : null),
    on: {
      put: (row, { data }) => {
        seen.push(row)
        return { ...row, mail: data.mail ?? '' }
      },
    },
  })
  await apply(definition, [Put({ to: name, id: 1, mail: 'a@first' })])
  await apply(definition, [
    Put({ to: name, id: 1, mail: 'a@second' }),
    Put({ to: name, id: 1, mail: 'b@third' }),
  ])
  expect(seen).toStrictEqual([null, { id: 1, mail: 'a@first' }, { id: 1, mail: 'a@second' }])
  expect(await rowsOf(`${name}.generated`)).toEqual([{ id: 1, mail: 'b@third', domain: 'third' }])
})

test('labels and elements are checked when SQL writes them', async () => {
  const name = newName()
  const definition = projection(name, {
    version: 1,
    events: [Put],
    tables: {
      checked: table(
        {
          id: integer().primaryKey(),
          state: enumeration('open', '50%').default('open'),
          states: array(enumeration('open', '50%')).default([]),
          gaps: array(enumeration('open').nullable()).default([]),
          cents: bigint().default(0n),
        },
        { checks: { not_negative: 'cents >= 0' } },
      ),
    },
  })
  await ensureVersion(database.pool, names, definition, 'any')
  const insert = (column: string, value: unknown) =>
    database.pool.query(`insert into ${name}_v1.checked (id, ${column}) values ($1, $2)`, [
      Math.floor(Math.random() * 2 ** 31),
      value,
    ])
  await insert('state', '50%')
  await insert('states', ['50%', 'open'])
  await insert('gaps', ['open', null])
  await expect(insert('state', '50')).rejects.toMatchObject({ code: '23514' })
  await expect(insert('states', ['50'])).rejects.toMatchObject({ code: '23514' })
  await expect(insert('states', [null])).rejects.toMatchObject({ code: '23514' })
  await expect(insert('gaps', [null, 'x'])).rejects.toMatchObject({ code: '23514' })
  await expect(insert('cents', -1)).rejects.toMatchObject({ constraint: 'not_negative' })
})

test('a value that the server would change stops a projection by column and event, unstored', async () => {
  const name = newName()
  const definition = projection(name, {
    version: 1,
    events: [Put],
    tables: { texts: table({ id: integer().primaryKey(), mail: text() }) },
  }).fold('texts', {
    key: ({ data }) => (data.to === name ? { id: data.id } : null),
    on: { put: (_, { data }) => ({ mail: String.fromCharCode(data.id) }) },
  })
  await commit(database.pool, [Put({ to: name, id: 0xd800 })])
  await using _follower = await follow(database, definition)
  expect(await reasonOfStop(definition)).toMatch(
    /event .*put.* column .*mail.*half a surrogate pair/,
  )
  expect(await rowsOf(`${name}.texts`)).toEqual([])
})

test('a label that a version adds leaves a view of the user in place', async () => {
  const name = newName()
  const labelled = (
    version: number,
    state: ReturnType<typeof enumeration<['open', ...string[]]>>,
  ) =>
    projection(name, {
      version,
      events: [Put],
      tables: { labelled: table({ id: integer().primaryKey(), state, states: array(state) }) },
    }).fold('labelled', {
      key: ({ data }) => (data.to === name ? { id: data.id } : null),
      on: { put: () => ({ state: version === 1 ? 'open' : 'paid', states: ['open'] }) },
    })
  await apply(labelled(1, enumeration('open')), [Put({ to: name, id: 1 })])
  await database.pool.query(`create view public.on_${name} as select * from ${name}.labelled`)
  await using follower = await follow(database, labelled(2, enumeration('open', 'paid')))
  await follower.untilCaughtUp()
  await until('the version to be ready', async (saw) => {
    const promoted = await store.promote(name).catch((error: unknown) => saw(error))
    return promoted !== undefined
  })
  expect(await rowsOf(`public.on_${name}`)).toEqual([{ id: 1, state: 'paid', states: ['open'] }])
})

test('queries of `each` write every type as a fold does, and are refused by column', async () => {
  const name = newName()
  const written = {
    doc: ['a', { b: 1 }],
    list: ['NULL', null, 'a,b', '{}', '\\', '"'],
    times: [new Date(-1)],
    docs: [[], 'x', null],
    rate: -0,
    state: 'paid',
  } as const
  const definition = projection(name, {
    version: 1,
    events: [Put],
    tables: {
      typed: table({
        id: integer().primaryKey(),
        doc: jsonb(),
        list: array(text().nullable()),
        times: array(timestamptz()),
        docs: array(jsonb()),
        rate: doublePrecision(),
        state: enumeration('open', 'paid'),
        twice: integer().generatedAs('id * 2'),
        note: text().default('none'),
      }),
    },
  }).each({
    on: {
      put: (db, { data: { to, id, mail } }) =>
        to !== name
          ? []
          : [
              db.insertInto('typed').values({ id, ...written, rate: 1, docs: [] }),
              db
                .updateTable('typed')
                .set({
                  rate: written.rate,
                  docs: written.docs,
                  note: mail === 'half' ? '\ud800' : 'none',
                })
                .where('id', '=', id),
            ],
    },
  })
  await apply(definition, [Put({ to: name, id: 1 })])
  const query = await store.query(definition)
  const stored = { id: 1, ...written, twice: 2, note: 'none' }
  expect(await query.selectFrom('typed').selectAll().execute()).toStrictEqual([stored])
  await commit(database.pool, [Put({ to: name, id: 2, mail: 'half' })])
  await using _follower = await follow(database, definition)
  expect(await reasonOfStop(definition)).toMatch(/column .*note.*half a surrogate pair/)
  expect(await query.selectFrom('typed').selectAll().execute()).toStrictEqual([stored])
})

describe('a unique column', () => {
  function mailboxes(name: string) {
    return projection(name, {
      version: 1,
      events: [Put],
      tables: { mailboxes: table({ id: integer().primaryKey(), mail: text().unique() }) },
    }).fold('mailboxes', {
      key: ({ data }) => (data.to === name ? { id: data.id } : null),
      on: { put: (_, { data }) => ({ mail: data.mail ?? '' }) },
    })
  }

  test('lets rows of one chunk swap their values', async () => {
    const name = newName()
    const put = (id: number, mail: string) => Put({ to: name, id, mail })
    await apply(mailboxes(name), [put(1, 'a'), put(2, 'b'), put(3, 'c')])
    await apply(mailboxes(name), [put(1, 'x'), put(2, 'a'), put(3, 'b'), put(1, 'c')])
    expect(await rowsOf(`${name}.mailboxes`)).toEqual([
      { id: 1, mail: 'c' },
      { id: 2, mail: 'a' },
      { id: 3, mail: 'b' },
    ])
  })

  test('stops a projection before the event that would store a value twice, and says which constraint', async () => {
    const name = newName()
    const definition = mailboxes(name)
    await commit(database.pool, [
      Put({ to: name, id: 1, mail: 'a' }),
      Put({ to: name, id: 2, mail: 'a' }),
    ])
    await using _follower = await follow(database, definition)
    expect(await reasonOfStop(definition)).toContain('mailboxes_mail_key')
    expect(await rowsOf(`${name}.mailboxes`)).toEqual([{ id: 1, mail: 'a' }])
  })
})

describe('a foreign key', () => {
  const parents = table({ id: integer().primaryKey(), mail: text() })
  const children = table({
    id: integer().primaryKey(),
    parent: integer().references(parents, 'id').nullable(),
  })

  /** The children are written first. */
  function families(name: string) {
    return projection(name, {
      version: 1,
      events: [Put, Removed],
      tables: { children, parents },
    })
      .fold('children', {
        key: ({ data }) => (data.to === `${name} child` ? { id: data.id } : null),
        on: { put: (_, { data }) => ({ parent: data.parent ?? null }), removed: () => null },
      })
      .fold('parents', {
        key: ({ data }) => (data.to === `${name} parent` ? { id: data.id } : null),
        on: { put: (_, { data }) => ({ mail: data.mail ?? '' }), removed: () => null },
      })
  }

  function events(name: string) {
    return {
      child: (id: number, parent?: number) =>
        Put({ to: `${name} child`, id, ...(parent === undefined ? {} : { parent }) }),
      parent: (id: number) => Put({ to: `${name} parent`, id }),
      noChild: (id: number) => Removed({ to: `${name} child`, id }),
      noParent: (id: number) => Removed({ to: `${name} parent`, id }),
    }
  }

  test('holds when a transaction commits, in whatever order a chunk writes', async () => {
    const name = newName()
    const { child, parent, noChild, noParent } = events(name)
    await apply(families(name), [child(1, 1), child(2, 1), parent(1), child(3)])
    await apply(families(name), [noParent(1), parent(2), child(1, 2), noChild(2)])
    expect(await rowsOf(`${name}.children`)).toEqual([
      { id: 1, parent: 2 },
      { id: 3, parent: null },
    ])
    await apply(families(name), [noParent(2), parent(2), child(1)])
    await apply(families(name), [noParent(2)])
    expect(await rowsOf(`${name}.parents`)).toEqual([])
  })

  test.each(['a child without a parent', 'a parent that goes before its child'])(
    'stops a projection at %s, and says which key',
    async (way) => {
      const name = newName()
      const { child, parent, noParent } = events(name)
      const definition = families(name)
      if (way.startsWith('a parent')) await apply(definition, [parent(1), child(1, 1)])
      const before = await rowsOf(`${name}.children`).catch(() => [])
      const broken = way.startsWith('a parent') ? [noParent(1)] : [parent(2), child(1, 1)]
      await commit(database.pool, broken)
      await using _follower = await follow(database, definition)
      expect(await reasonOfStop(definition)).toContain('children_parent_fkey')
      expect(await rowsOf(`${name}.children`)).toEqual(before)
    },
  )

  test('may have several columns', async () => {
    const name = newName()
    const grid = table({ row: integer().primaryKey(), col: text().primaryKey() })
    const cells = table(
      { id: integer().primaryKey(), c: text(), r: integer() },
      { foreignKeys: { cell_of_grid: foreignKey(grid, { c: 'col', r: 'row' }) } },
    )
    const definition = projection(name, { version: 1, events: [Put], tables: { cells, grid } })
    await ensureVersion(database.pool, names, definition, 'any')
    const insert = () => database.pool.query(`insert into ${name}_v1.cells values (1, 'a', 1)`)
    await expect(insert()).rejects.toMatchObject({ constraint: 'cell_of_grid' })
    await database.pool.query(`insert into ${name}_v1.grid values (1, 'a')`)
    await insert()
  })
})

test('indexes are made as they are declared', async () => {
  const name = newName()
  const columns = {
    id: integer().primaryKey(),
    mail: text(),
    state: text(),
    tags: array(text()).default([]),
  }
  const definition = projection(name, {
    version: 1,
    events: [Put],
    tables: {
      indexed: table(columns, {
        unique: { one_state_each: ['mail', 'state'] },
        indexes: {
          by_state: ['state', { sql: 'id desc' }],
          by_lower_mail: { on: [{ sql: 'lower(mail)' }], unique: true, where: "state <> 'gone'" },
          by_tag: { on: ['tags'], using: 'gin' },
          by_mail: { on: ['mail'], include: ['state'] },
        },
        sql: 'create index by_hand on indexed (mail text_pattern_ops) -- the last line',
      }),
      other: table(
        { id: integer().primaryKey() },
        { sql: 'alter table other set (fillfactor = 80)' },
      ),
    },
  })
  await ensureVersion(database.pool, names, definition, 'any')
  const { rows } = await database.pool.query(
    `select indexname, replace(indexdef, schemaname || '.', '') as def
     from pg_indexes
     where schemaname = $1
     order by 1`,
    [`${name}_v1`],
  )
  expect(rows.map(({ indexname, def }) => `${indexname}: ${def}`)).toEqual([
    'by_hand: CREATE INDEX by_hand ON indexed USING btree (mail text_pattern_ops)',
    "by_lower_mail: CREATE UNIQUE INDEX by_lower_mail ON indexed USING btree (lower(mail)) WHERE (state <> 'gone'::text)",
    'by_mail: CREATE INDEX by_mail ON indexed USING btree (mail) INCLUDE (state)',
    'by_state: CREATE INDEX by_state ON indexed USING btree (state, id DESC)',
    'by_tag: CREATE INDEX by_tag ON indexed USING gin (tags)',
    'indexed_pkey: CREATE UNIQUE INDEX indexed_pkey ON indexed USING btree (id)',
    'one_state_each: CREATE UNIQUE INDEX one_state_each ON indexed USING btree (mail, state)',
    'other_pkey: CREATE UNIQUE INDEX other_pkey ON other USING btree (id)',
  ])
  const options = await database.pool.query(
    'select reloptions from pg_class where oid = $1::regclass',
    [`${name}_v1.other`],
  )
  expect(options.rows).toEqual([{ reloptions: ['fillfactor=80'] }])
})

describe('SQL in a declaration', () => {
  async function refusalOf(options: TableOptions<'id'>, columns: Columns = {}) {
    const name = newName()
    const definition = projection(name, {
      version: 1,
      events: [Put],
      tables: { t: table({ id: integer().primaryKey(), ...columns }, options) },
    })
    const refusal = await ensureVersion(database.pool, names, definition, 'any').then(
      () => 'not refused',
      (error: unknown) => error,
    )
    const { rows } = await database.pool.query(
      'select nspname::text from pg_namespace where nspname = any($1)',
      [[name, `${name}_v1`, 'stray']],
    )
    expect(rows).toEqual([])
    return refusal
  }

  test('that the server refuses is named with its place, and nothing is left behind', async () => {
    const sql = 'create index a on t (id);\ncreate index b on t (idd)'
    expect(await refusalOf({ sql })).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringMatching(/^projection "made_\d+": .*column "idd" does not exist/),
    })
    expect(await refusalOf({ sql: 'create indexx a on t (id)' })).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('in "create indexx a on t (id)"'),
    })
    expect(await refusalOf({ checks: { odd: 'id >' } })).toMatchObject({
      code: 'DEFINITION_INVALID',
    })
    expect(await refusalOf({}, { g: integer().generatedAs('now()') })).toMatchObject({
      code: 'DEFINITION_INVALID',
    })
  })

  test.each([
    ['commit', 'commit'],
    ['rollback', 'rollback; begin'],
    ['create schema', 'create schema stray'],
    ['a table elsewhere', 'create table public.stray (id integer)'],
    ['a function elsewhere', 'create function public.stray() returns int language sql return 1'],
    ['a type elsewhere', "create type public.stray as enum ('a')"],
    ['a foreign key to elsewhere', 'alter table t add foreign key (id) references public.theirs'],
    ['a temporary table', 'create temp table stray (id integer)'],
    ['another search_path', 'set search_path to public'],
    ['a setting', "set statement_timeout to '1s'"],
    ['a role', 'set role tidemark_read'],
  ])('that leaves schema or transaction is refused: %s', async (_, sql) => {
    await database.pool.query('create table if not exists public.theirs (id integer primary key)')
    const before = await database.pool.query('select current_user, current_setting($1)', [
      'statement_timeout',
    ])
    expect(await refusalOf({ sql })).toMatchObject({ code: 'DEFINITION_INVALID' })
    const after = await database.pool.query('select current_user, current_setting($1)', [
      'statement_timeout',
    ])
    expect(after.rows).toEqual(before.rows)
    const { rows } = await database.pool.query(
      "select relname from pg_class where relname = 'stray'",
    )
    expect(rows).toEqual([])
  })

  test('finds nothing outside of the schema unless it says where', async () => {
    await database.pool.query('create table if not exists public.theirs (id integer primary key)')
    expect(await refusalOf({ sql: 'create index on theirs (id)' })).toMatchObject({
      message: expect.stringContaining('relation "theirs" does not exist'),
    })
  })
})
