import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createStore, integer, projection, type Store, table, text } from '../../src/index.ts'
import { listVersions } from '../../src/projections/versions/versions.ts'
import { createRole } from '../db/create-role.ts'
import { useDatabase } from '../support/database.ts'
import { Counted, counted } from './counts.ts'
import { commit, follow, names } from './fixtures.ts'

const database = useDatabase()
let store: Store
let projections = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  await commit(database.pool, counted(30))
})

afterAll(() => store.close())

const shapes = {
  base: { key: text().primaryKey(), count: integer(), note: text().nullable() },
  /** With a column in the middle, and the others in another order. */
  grown: {
    note: text().nullable(),
    more: text().nullable(),
    key: text().primaryKey(),
    count: integer(),
  },
  shrunk: { key: text().primaryKey(), count: integer() },
  retyped: { key: text().primaryKey(), count: text().nullable(), note: text().nullable() },
}
type Shape = keyof typeof shapes

function shaped(name: string, version: number, shape: Shape) {
  return projection(name, {
    version,
    events: [Counted],
    tables: { items: table(shapes[shape]) },
  }).fold('items', {
    key: ({ data }) => ({ key: data.key }),
    on: { counted: () => ({ count: shape === 'retyped' ? `${version}` : version }) as never },
  })
}

/** Makes version 1 live and version 2, of another shape, ready. */
async function prepare(shape: Shape): Promise<string> {
  projections += 1
  const name = `top_${projections}`
  await using first = await follow(database, shaped(name, 1, 'base'))
  await first.untilCaughtUp()
  await store.rebuild(shaped(name, 2, shape))
  return name
}

async function newRole(): Promise<string> {
  const role = await createRole()
  onTestFinished(async () => {
    await database.pool.query(`drop owned by ${role.name} cascade`)
    await role[Symbol.asyncDispose]()
  })
  return role.name
}

/** All that a view is, besides the table that it reads. */
async function readViews(name: string): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select
      c.oid::regclass::text as view,
      pg_get_userbyid(c.relowner) as owner,
      c.reloptions as options,
      (select array_agg(a::text order by a::text) from unnest(c.relacl) as a) as grants,
      obj_description(c.oid) as comment,
      case when n.nspname = 'public' then pg_get_viewdef(c.oid) end as query,
      array(
        select concat_ws(' ', a.attname, col_description(c.oid, a.attnum), a.attacl::text)
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0
        order by a.attname
      ) as columns
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'v'
      and (n.nspname = $1 or n.nspname = 'public' and c.relname like $1 || '\\_%')
    order by 1`,
    [name],
  )
  return rows
}

async function statesOf(name: string): Promise<string[]> {
  const versions = await listVersions(database.pool, names, name)
  return versions.map(({ version, state }) => `${version} ${state}`)
}

const run = (sql: string) => database.pool.query(sql)

describe("a user's views", () => {
  test('are not touched when columns are only added, wherever they are declared', async () => {
    const name = await prepare('grown')
    await run(`create view public.${name}_all as select * from ${name}.items`)
    await run(`create materialized view public.${name}_kept as select * from ${name}.items`)
    const oid = `select 'public.${name}_all'::regclass::oid`
    const { rows: before } = await run(oid)
    await store.promote(name)
    expect((await run(oid)).rows).toEqual(before)
    const { rows } = await run(`select distinct count from public.${name}_all`)
    expect(rows).toEqual([{ count: 2 }])
    await run(`refresh materialized view public.${name}_kept`)
    const { fields } = await run(`select * from ${name}.items`)
    expect(fields.map((field) => field.name)).toEqual(['key', 'count', 'note', 'more'])
  })

  test('are made again with all that they had when a column goes that they do not read', async () => {
    const name = await prepare('shrunk')
    const [owner, reader] = [await newRole(), await newRole()]
    await run(`
      grant usage on schema ${name} to public;
      grant create on schema public to ${owner};
      grant select on ${name}.items to ${owner}, ${reader} with grant option;
      comment on view ${name}.items is 'it''s \\ ours';
      comment on column ${name}.items.count is 'how many';
      alter view ${name}.items set (security_barrier);
      create view public.${name}_one with (security_barrier) as
        select key as "the Key", count, '\\x;' as odd from ${name}.items where count > 0;
      comment on view public.${name}_one is 'first';
      comment on column public.${name}_one."the Key" is 'named';
      alter view public.${name}_one owner to ${owner};
      grant select ("the Key") on public.${name}_one to ${reader};
      create view public.${name}_two as
        select one."the Key" as k, items.count from public.${name}_one as one, ${name}.items;
      grant select on public.${name}_two to public;
      create view public.${name}_three with (check_option = local) as
        select key, count from ${name}.items where count > 1;
      create view public.${name}_none as select 1 as n`)
    const before = await readViews(name)
    expect(before).toHaveLength(5)

    await store.promote(name)
    expect(await statesOf(name)).toEqual(['1 standby', '2 live'])
    expect(await readViews(name)).toEqual(
      before.map((view) => {
        const { columns } = view as { columns: string[] }
        return (view as { view: string }).view === `${name}.items`
          ? { ...(view as object), columns: columns.filter((column) => !column.startsWith('note')) }
          : view
      }),
    )
    const { rows } = await run(`select distinct count from public.${name}_one`)
    expect(rows).toEqual([{ count: 2 }])
    await store.rollback(name)
    expect(await readViews(name)).toEqual(before)
    expect((await run(`select distinct count from public.${name}_two`)).rows).toEqual([
      { count: 1 },
    ])
  })

  test('follow a column that has another type', async () => {
    const name = await prepare('retyped')
    await run(`create view public.${name}_all as select * from ${name}.items`)
    await store.promote(name)
    expect((await run(`select distinct count from public.${name}_all`)).rows).toEqual([
      { count: '2' },
    ])
    await store.rollback(name)
    expect((await run(`select distinct count from public.${name}_all`)).rows).toEqual([
      { count: 1 },
    ])
  })

  test('are given nothing that default privileges would give to new views', async () => {
    const name = await prepare('shrunk')
    const stranger = await newRole()
    await run(`create view public.${name}_one as select key from ${name}.items`)
    await run(`alter default privileges grant all on tables to ${stranger}, public`)
    try {
      const before = await readViews(name)
      await store.promote(name)
      await store.rollback(name)
      const after = await readViews(name)
      const grantees = after.map((view) => String((view as { grants: unknown }).grants))
      expect(grantees.filter((text) => text.includes(stranger))).toEqual([])
      expect(after.map((view) => (view as { view: string }).view)).toEqual(
        before.map((view) => (view as { view: string }).view),
      )
    } finally {
      await run(`alter default privileges revoke all on tables from ${stranger}, public`)
    }
  })
})

describe('a switch is refused, and nothing changes, when it would lose', () => {
  const dependents: readonly (readonly [
    string,
    Shape,
    (name: string) => string,
    string | RegExp,
  ])[] = [
    [
      'a view that reads the column which goes',
      'shrunk',
      (name) => `create view public.${name}_x as select key, note from ${name}.items`,
      // Servers before 16 write the view's query down with the table's name.
      /column ("note"|items\.note) does not exist/,
    ],
    [
      'a view whose query does not fit the new type',
      'retyped',
      (name) => `create view public.${name}_x as select count + 1 as n from ${name}.items`,
      'operator does not exist',
    ],
    [
      'a materialized view',
      'shrunk',
      (name) => `create materialized view public.${name}_x as select key from ${name}.items`,
      'materialized view',
    ],
    [
      'a materialized view on a view',
      'shrunk',
      (name) => `
        create view public.${name}_v as select key from ${name}.items;
        create materialized view public.${name}_x as select key from public.${name}_v`,
      'materialized view',
    ],
    [
      'a function that returns its rows',
      'shrunk',
      (name) => `
        create function public.${name}_x() returns setof ${name}.items
        language sql as 'select null::text, null::integer, null::text'`,
      'function',
    ],
    [
      'a table with a column of its row type',
      'shrunk',
      (name) => `create table public.${name}_x (item ${name}.items)`,
      'column item of table',
    ],
    [
      'a trigger on a view',
      'shrunk',
      (name) => `
        create view public.${name}_x as select key from ${name}.items;
        create function public.${name}_f() returns trigger language plpgsql as 'begin return null; end';
        create trigger t instead of insert on public.${name}_x
          for each row execute function public.${name}_f()`,
      'a trigger',
    ],
    [
      'a trigger on our own view',
      'shrunk',
      (name) => `
        create function public.${name}_x() returns trigger language plpgsql as 'begin return null; end';
        create trigger t instead of insert on ${name}.items
          for each row execute function public.${name}_x()`,
      'a trigger',
    ],
    [
      'a rule on a view',
      'shrunk',
      (name) => `
        create view public.${name}_x as select key from ${name}.items;
        create rule r as on insert to public.${name}_x do instead nothing`,
      'a rule',
    ],
    [
      'a default of a column',
      'shrunk',
      (name) => `
        create view public.${name}_x as select key from ${name}.items;
        alter view public.${name}_x alter column key set default 'k'`,
      'a default of a column',
    ],
  ]

  test.for(dependents)('%s', async ([, shape, create, said]) => {
    const name = await prepare(shape)
    await run(create(name))
    const before = await readViews(name)
    await expect(store.promote(name)).rejects.toMatchObject({
      code: 'PROJECTION_VIEW_IN_USE',
      message: expect.stringMatching(said),
      details: { dependents: expect.stringMatching(new RegExp(`${name}[._]`)) },
    })
    expect(await statesOf(name)).toEqual(['1 live', '2 ready'])
    expect(await readViews(name)).toEqual(before)
    expect((await run(`select distinct count from ${name}.items`)).rows).toEqual([{ count: 1 }])
  })

  test("a view of somebody else's, who has the only right to it", async () => {
    const name = await prepare('shrunk')
    const [worker, owner] = [await createRole(), await createRole()]
    onTestFinished(async () => {
      await run(`drop owned by ${worker.name}, ${owner.name} cascade`)
      await Promise.all([worker, owner].map((role) => role[Symbol.asyncDispose]()))
    })
    await run(`
      grant tidemark_worker to ${worker.name};
      grant usage, create on schema ${name}, ${name}_v1, ${name}_v2 to ${worker.name};
      alter view ${name}.items owner to ${worker.name};
      alter table ${name}_v1.items owner to ${worker.name};
      alter table ${name}_v2.items owner to ${worker.name};
      create view public.${name}_x as select key from ${name}.items;
      grant create on schema public to ${owner.name};
      alter view public.${name}_x owner to ${owner.name}`)
    await using theirs = await createStore({
      connectionString: worker.loginTo(database.connectionString),
    })
    await expect(theirs.promote(name)).rejects.toMatchObject({
      code: 'PROJECTION_VIEW_IN_USE',
      message: expect.stringContaining('must be owner'),
      details: { view: expect.stringContaining(`${name}_x`) },
    })
    expect(await statesOf(name)).toEqual(['1 live', '2 ready'])
  })

  test('a temporary view of another session', async () => {
    const name = await prepare('shrunk')
    const client = await database.client()
    await client.query(`create temp view mine as select key from ${name}.items`)
    await expect(store.promote(name)).rejects.toMatchObject({ code: 'PROJECTION_VIEW_IN_USE' })
    await client.end()
  })
})

test('options, owner and comments of a view are kept when it is replaced in place', async () => {
  const name = await prepare('grown')
  const owner = await newRole()
  await run(`
    grant create on schema ${name} to ${owner};
    grant usage on schema ${name}_v1, ${name}_v2 to ${owner};
    grant select on ${name}_v1.items, ${name}_v2.items to ${owner};
    alter view ${name}.items set (security_barrier = true);
    comment on view ${name}.items is 'what there is';
    comment on column ${name}.items.key is 'which';
    alter view ${name}.items owner to ${owner}`)
  const [before] = (await readViews(name)) as { columns: string[] }[]
  await store.promote(name)
  const [after] = (await readViews(name)) as { columns: string[] }[]
  expect(after).toEqual({ ...before, columns: [...(before?.columns ?? []), 'more'].sort() })
  await store.rollback(name)
  expect(await readViews(name)).toEqual([before])
})
