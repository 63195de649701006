import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import { beforeEach, describe, expect, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { captureStore } from '../../../src/store/capture/capture-store.ts'
import { useDatabase } from '../../support/database.ts'
import { brief, readCategory } from './capture-fixture.ts'

const database = useDatabase()
const captures = () => captureStore(database.pool, logNames())
const query = (text: string, values: unknown[] = []) => database.pool.query(text, values)

let number = 0
let category = ''
/** A table of its own for each test, in a schema and with names that have to be quoted. */
let table = ''
beforeEach(async () => {
  number += 1
  category = `c${number}`
  table = `"Shop ${number}"."it's ""orders"""`
  await query(`create schema "Shop ${number}"`)
})
const events = () => readCategory(database.pool, category)
const briefs = async () => (await events()).map(brief)

async function create(columns: string, suffix = ''): Promise<void> {
  await query(`create table ${table} (${columns}) ${suffix}`)
}

describe('a captured table', () => {
  test('appends what happens to its rows, with old and new values and who did it', async () => {
    await create('id integer primary key, status text, total numeric')
    const result = await captures().install(table, { as: category })
    expect(result).toEqual({
      table,
      category,
      key: ['id'],
      columns: ['id', 'status', 'total'],
    })
    const client = await database.client({ application_name: 'shop' })
    await client.query(`set tidemark.actor = 'user-7'; set tidemark.correlation_id = 'request-1'`)
    await client.query('begin')
    await client.query(`insert into ${table} values (1, 'new', 1.50)`)
    await client.query(`update ${table} set status = 'paid'`)
    const { rows } = await client.query('select pg_current_xact_id()::text as id')
    await client.query('commit')
    await client.query(`reset tidemark.actor; reset tidemark.correlation_id`)
    await client.query(`delete from ${table}`)

    const before = { id: 1, status: 'new', total: '1.50' }
    const after = { id: 1, status: 'paid', total: '1.50' }
    const [created, changed, deleted] = await events()
    expect(created).toMatchObject({
      streamId: `${category}-1`,
      version: 1,
      type: `${category}.created`,
      data: { row: before },
    })
    expect(changed).toMatchObject({ version: 2, type: `${category}.changed` })
    expect(changed?.data).toEqual({ row: after, old: before })
    expect(deleted).toMatchObject({ version: 3, type: `${category}.deleted` })
    expect(deleted?.data).toEqual({ old: after })
    expect(changed?.metadata).toEqual({
      userId: 'user-7',
      correlationId: 'request-1',
      capture: {
        table,
        user: client.user,
        application: 'shop',
        transactionId: rows[0].id,
      },
    })
    expect(deleted?.metadata).not.toHaveProperty('userId')
  })

  test('appends nothing for an update that changes nothing, nor for what is rolled back', async () => {
    await create('id integer primary key, a text, secret text')
    await captures().install(table, { as: category, except: ['secret'] })
    await query(`insert into ${table} values (1, 'x', 'y')`)
    await query(`update ${table} set a = 'x'`)
    await query(`update ${table} set secret = 'z'`)
    await query(`begin; update ${table} set a = 'lost'; rollback`)
    await query(
      `begin; savepoint s; update ${table} set a = 'lost'; rollback to s; update ${table} set a = 'kept'; commit`,
    )
    expect(await briefs()).toEqual([
      `${category}-1 1 ${category}.created`,
      `${category}-1 2 ${category}.changed`,
    ])
    expect((await events())[1]?.data).toEqual({
      row: { id: 1, a: 'kept' },
      old: { id: 1, a: 'x' },
    })
  })

  test('tells 1.0 from 1.00, and a null from a text', async () => {
    await create('id integer primary key, n numeric, t text')
    await captures().install(table, { as: category })
    await query(`insert into ${table} values (1, 1.0, null)`)
    await query(`update ${table} set n = 1.00`)
    await query(`update ${table} set t = 'null'`)
    expect((await events()).map(({ data }) => [data.row.n, data.row.t])).toEqual([
      ['1.0', null],
      ['1.00', null],
      ['1.00', 'null'],
    ])
  })

  test('keeps values of every type as they are, however the session writes them', async () => {
    await create(`
      id bigint primary key, n numeric, f double precision, b bytea, t timestamptz, d date, i interval,
      j json, x xml, a integer[], p point, e text`)
    await captures().install(table, { as: category })
    const client = await database.client()
    await client.query(`set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set bytea_output = 'escape';
      set extra_float_digits = -10; set intervalstyle = 'sql_standard'`)
    await client.query(
      `insert into ${table} values (9007199254740993, 12345678901234567890.12345, 0.1::float8 + 0.2, '\\x00ff',
        '2026-01-02 03:04:05.678901+00', '2026-01-02', '1 day 2 hours', '{"b":1, "a":2}', '<a/>',
        '{1,null}', '(1,2)', $1)`,
      ['é 🙂 \\ "'],
    )
    await client.query(`update ${table} set n = 'NaN', t = 'infinity'`)
    const [created, changed] = await events()
    expect(created?.streamId).toBe(`${category}-9007199254740993`)
    expect(created?.data.row).toEqual({
      id: '9007199254740993',
      n: '12345678901234567890.12345',
      f: 0.30000000000000004,
      b: '\\x00ff',
      t: '2026-01-02T03:04:05.678901+00:00',
      d: '2026-01-02',
      i: '1 day 02:00:00',
      j: { a: 2, b: 1 },
      x: '<a/>',
      a: [1, null],
      p: '(1,2)',
      e: 'é 🙂 \\ "',
    })
    expect(changed?.data.row).toMatchObject({ n: 'NaN', t: 'infinity' })
  })

  test('follows a key that changes, also where two rows change places one by one', async () => {
    await create('id integer primary key, a text')
    await captures().install(table, { as: category })
    await query(`insert into ${table} values (3, 'x'), (2, 'y')`)
    await query(`update ${table} set id = id + 1`)
    expect(await briefs()).toEqual([
      `${category}-3 1 ${category}.created`,
      `${category}-2 1 ${category}.created`,
      `${category}-3 2 ${category}.deleted`,
      `${category}-4 1 ${category}.created`,
      `${category}-2 2 ${category}.deleted`,
      `${category}-3 3 ${category}.created`,
    ])
  })

  test('names streams of keys of several columns without mistaking one for another', async () => {
    await create('a text, b text, primary key (a, b)')
    await captures().install(table, { as: category })
    await query(`insert into ${table} values ('1,2', '3'), ('1', '2,3'), ('1%2C2', '3'), ('', '')`)
    expect((await events()).map(({ streamId }) => streamId)).toEqual([
      `${category}-1%2C2,3`,
      `${category}-1,2%2C3`,
      `${category}-1%252C2,3`,
      `${category}-,`,
    ])
  })

  test('shortens a key that no stream can be named by', async () => {
    await create('id text primary key')
    await captures().install(table, { as: category })
    await query(`insert into ${table} values (repeat('x', 1500))`)
    expect((await events())[0]?.streamId).toMatch(/^c\d+-sha256:[0-9a-f]{64}$/)
  })

  test('records copy, upserts, cascades, truncate, and what a replica session does', async () => {
    await create('id integer primary key, a text, t text')
    await query(`create table "Shop ${number}".parents (id integer primary key)`)
    await query(
      `alter table ${table} add parent integer references "Shop ${number}".parents on delete cascade`,
    )
    await captures().install(table, { as: category })
    await query(`insert into "Shop ${number}".parents values (1)`)
    await query(
      `insert into ${table} values (1, 'x', 't', 1) on conflict (id) do update set a = 'never'`,
    )
    await query(
      `insert into ${table} values (1, 'x', 't', 1) on conflict (id) do update set a = 'upsert'`,
    )
    await query(`insert into ${table} values (1) on conflict do nothing`)
    await query(`delete from "Shop ${number}".parents`)
    await query(`begin; set local session_replication_role = replica; insert into ${table} values (2, 'r');
      commit`)
    const client = await database.client()
    const copy = client.query(copyFrom(`copy ${table} (id) from stdin`))
    await pipeline([Buffer.from('3\n')], copy)
    await query(`truncate ${table}`)
    expect(await briefs()).toEqual([
      `${category}-1 1 ${category}.created`,
      `${category}-1 2 ${category}.changed`,
      `${category}-1 3 ${category}.deleted`,
      `${category}-2 1 ${category}.created`,
      `${category}-3 1 ${category}.created`,
      `${category}-2 2 ${category}.deleted`,
      `${category}-3 2 ${category}.deleted`,
    ])
  })

  test('comes first of the triggers, so that a change by another one comes after its cause', async () => {
    await create('id integer primary key, a text')
    await query(/* sql */ `
      create function "Shop ${number}".again() returns trigger language plpgsql as $$
      begin
        update ${table} set a = 'again' where id = new.id and a <> 'again';
        return null;
      end $$;
      create trigger "AA" after insert or update on ${table}
        for each row execute function "Shop ${number}".again()`)
    await captures().install(table, { as: category })
    await query(`insert into ${table} values (1, 'first')`)
    expect((await events()).map(({ type, data }) => [type, data.row.a])).toEqual([
      [`${category}.created`, 'first'],
      [`${category}.changed`, 'again'],
    ])
  })

  test('records a partitioned table, partitions that are made later, and rows that move', async () => {
    await create('id integer, part integer, primary key (id, part)', 'partition by list (part)')
    await query(`create table "Shop ${number}".one partition of ${table} for values in (1)`)
    await captures().install(table, { as: category })
    await query(`create table "Shop ${number}".two partition of ${table} for values in (2)`)
    await query(`insert into "Shop ${number}".one values (1, 1)`)
    await query(`update ${table} set part = 2`)
    await query(`insert into ${table} values (2, 1)`)
    await query(`truncate "Shop ${number}".one`)
    expect(await briefs()).toEqual([
      `${category}-1,1 1 ${category}.created`,
      `${category}-1,1 2 ${category}.deleted`,
      `${category}-1,2 1 ${category}.created`,
      `${category}-2,1 1 ${category}.created`,
      `${category}-2,1 2 ${category}.deleted`,
    ])
    const found = async () =>
      (await captures().list()).find((one) => one.category === category)?.problems
    expect(await found()).toEqual([
      `truncate of "Shop ${number}".two alone is not recorded: capture it again`,
    ])
    await captures().install(table, { as: category })
    expect(await found()).toEqual([])
    await query(`truncate ${table}`)
    expect((await briefs()).at(-1)).toBe(`${category}-1,2 2 ${category}.deleted`)
  })

  test('gives a later row of one key the versions that follow', async () => {
    await create('id integer primary key')
    await captures().install(table, { as: category })
    for (let i = 0; i < 2; i += 1) {
      await query(`insert into ${table} values (1)`)
      await query(`delete from ${table}`)
    }
    expect((await events()).map(({ version }) => version)).toEqual([1, 2, 3, 4])
  })
})

describe('a table that is altered', () => {
  test('records added columns, and forgets dropped ones', async () => {
    await create('id integer primary key, a text')
    await captures().install(table, { as: category })
    await query(`alter table ${table} add b integer default 5, drop a`)
    await query(`insert into ${table} values (1)`)
    expect((await events())[0]?.data).toEqual({ row: { id: 1, b: 5 } })
  })

  test('keeps its streams when the key is renamed, and tells', async () => {
    await create('id integer primary key, a text')
    await captures().install(table, { as: category, columns: ['a'] })
    await query(`insert into ${table} values (1, 'x')`)
    await query(`alter table ${table} rename id to number`)
    await query(`update ${table} set a = 'y'`)
    expect((await briefs()).at(-1)).toBe(`${category}-1 2 ${category}.changed`)
    const [capture] = (await captures().list()).filter((one) => one.category === category)
    expect(capture?.problems).toEqual([
      'its key has no column "id" any more: capture it again',
      'column "id" of its filter is not there any more: capture it again',
    ])
  })

  test('does not let out what is left out, when it is renamed', async () => {
    await create('id integer primary key, a text, secret text')
    await captures().install(table, { as: category, except: ['secret'] })
    await query(`alter table ${table} rename secret to hidden`)
    await query(`insert into ${table} values (1, 'x', 'y')`)
    expect((await events())[0]?.data).toEqual({ row: { id: 1, a: 'x' } })
    const [capture] = (await captures().list()).filter((one) => one.category === category)
    expect(capture?.problems).toEqual([
      'column "secret" of its filter is not there any more, so that new columns are not recorded: ' +
        'capture it again',
    ])
  })

  test('records on when it has lost its key', async () => {
    await create('id integer primary key, a text')
    await captures().install(table, { as: category })
    await query(`alter table ${table} drop id`)
    await query(`insert into ${table} values ('x'), ('y')`)
    expect(await briefs()).toEqual([
      `${category}-%00 1 ${category}.created`,
      `${category}-%00 2 ${category}.created`,
    ])
  })

  test('tells when its trigger is disabled, and is mended by another install', async () => {
    await create('id integer primary key')
    await captures().install(table, { as: category })
    await query(`alter table ${table} disable trigger all`)
    const problems = async () =>
      (await captures().list()).find((one) => one.category === category)?.problems
    expect((await problems())?.[0]).toBe('its trigger is disabled: nothing is recorded')
    await captures().install(table, { as: category })
    expect(await problems()).toEqual([])
  })
})

describe('a capture', () => {
  test('is listed, changed and removed', async () => {
    await create('id integer primary key, a text, b text')
    await captures().install(table, { as: category, columns: ['a'], schemaVersion: 2 })
    expect((await captures().list()).filter((one) => one.category === category)).toEqual([
      {
        table,
        category,
        key: ['id'],
        filter: { mode: 'columns', columns: ['id', 'a'] },
        schemaVersion: 2,
        problems: [],
      },
    ])
    await query(`insert into ${table} values (1, 'x', 'y')`)
    await captures().install(table, { as: category })
    await query(`update ${table} set b = 'z'`)
    expect((await events()).map(({ data }) => data.row)).toEqual([
      { id: 1, a: 'x' },
      { id: 1, a: 'x', b: 'z' },
    ])
    expect(await captures().remove(table)).toEqual({ table, category })
    await query(`delete from ${table}`)
    await query(`truncate ${table}`)
    expect(await events()).toHaveLength(2)
    expect((await captures().list()).filter((one) => one.category === category)).toEqual([])
    await expect(captures().remove(table)).rejects.toMatchObject({ code: 'TABLE_NOT_CAPTURED' })
  })

  test.each([
    ['a table that is not there', 'public.nothing', undefined, /no such table/],
    ['a name that is none', 'a.b.c.d; drop table x', undefined, /no such table/],
    ['a view', 'views.v', 'create view views.v as select 1 as id', /it is a view/],
    [
      'a materialized view',
      'views.m',
      'create materialized view views.m as select 1 as id',
      /materialized/,
    ],
    [
      'an unlogged table',
      'views.u',
      'create unlogged table views.u (id integer primary key)',
      /unlogged/,
    ],
    ['a table without a key', 'views.n', 'create table views.n (id integer)', /no primary key/],
    [
      'a key that is deferrable',
      'views.d',
      'create table views.d (id integer primary key deferrable)',
      /deferrable/,
    ],
    [
      'a partition',
      'views.p1',
      `create table views.p (id integer primary key) partition by list (id);
       create table views.p1 partition of views.p for values in (1)`,
      /it is a partition/,
    ],
    [
      'a table that is inherited from',
      'views.i',
      'create table views.i (id integer primary key); create table views.i1 () inherits (views.i)',
      /inherits/,
    ],
    [
      'a foreign table',
      'views.f',
      `create foreign data wrapper w; create server s foreign data wrapper w;
       create foreign table views.f (id integer) server s`,
      /foreign table/,
    ],
    ['a table of the log', 'tidemark.events', undefined, /not the application's/],
    ['a table of the system', 'pg_catalog.pg_class', undefined, /not the application's/],
  ])('refuses %s', async (_, name, ddl, reason) => {
    await query('create schema if not exists views')
    if (ddl !== undefined) await query(ddl)
    const refused = await captures()
      .install(name, { as: category })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'TABLE_NOT_CAPTURABLE',
      message: expect.stringMatching(reason),
    })
  })

  test('refuses a category or table that another capture has, and options that cannot be', async () => {
    await create('id integer primary key, a text, unique (a)')
    await query(`create table "Shop ${number}".other (id integer primary key)`)
    await captures().install(table, { as: category })
    for (const [name, as] of [
      [`"Shop ${number}".other`, category],
      [table, `${category}x`],
    ] as const) {
      await expect(captures().install(name, { as })).rejects.toMatchObject({
        code: 'TABLE_NOT_CAPTURABLE',
      })
    }
    for (const options of [
      { as: 'a-b' },
      { as: '' },
      { as: `a'); drop schema tidemark cascade; --` },
      { as: category, columns: ['nothing'] },
      { as: category, except: ['id'] },
      { as: category, except: ['a'], columns: ['a'] },
      { as: category, key: ['nothing'] },
      { as: category, schemaVersion: 0 },
    ]) {
      await expect(captures().install(table, options)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      })
    }
    await expect(captures().install(table, { as: category, key: ['a'] })).rejects.toMatchObject({
      code: 'TABLE_NOT_CAPTURABLE',
    })
  })

  test('gives up, and lets writers go on, when a transaction holds the table', async () => {
    await create('id integer primary key')
    const client = await database.client()
    await client.query('begin')
    await client.query(`insert into ${table} values (1)`)
    await expect(
      captures().install(table, { as: category, lockTimeoutMs: 50 }),
    ).rejects.toMatchObject({ code: 'LOCK_TIMED_OUT' })
    await client.query('commit')
    expect(await events()).toEqual([])
  })

  test('quotes columns that want to be more than names', async () => {
    await create(
      `"id""; drop" integer primary key, "a,b" text, "c\\d" text, "{e}" text, "'f'" bigint`,
    )
    await captures().install(table, { as: category, except: ['a,b', 'c\\d'] })
    await query(`insert into ${table} values (1, 'x', 'y', 'z', 2)`)
    expect((await events())[0]?.data.row).toEqual({ 'id"; drop': 1, '{e}': 'z', "'f'": '2' })
    const [capture] = (await captures().list()).filter((one) => one.category === category)
    expect(capture?.problems).toEqual([])
    expect(capture?.filter?.columns).toEqual(['a,b', 'c\\d'])
  })
})
