import { glob } from 'node:fs/promises'
import { describe, expect, inject, test } from 'vitest'
import { connect } from '../../src/db/connect.ts'
import { migrateLog } from '../../src/db/migrate-log.ts'
import { migrationsDirectory, readSqlObjects } from '../../src/db/sql-files.ts'
import { createTestDatabase, useDatabase } from '../support/database.ts'
import { listCatalogRows, listObjectsOutside } from './catalog-snapshot.ts'
import { dumpLog, expectWorking, migrateOnce } from './installed-log.ts'

const isLogical = inject('postgres').walLevel === 'logical'

/** Has a log in the schema `tidemark`; most tests install one more in a schema of their own. */
const database = useDatabase()

describe('the migrations', () => {
  test('install the log in an empty database and tell what they did', async () => {
    await using empty = await createTestDatabase({ template: false })
    const result = await migrateOnce(empty.connectionString)

    const files = await Array.fromAsync(glob('*.sql', { cwd: migrationsDirectory }))
    expect(result.migrations).toEqual(files.map((file) => file.replace('.sql', '')).toSorted())
    expect(result.objects).toEqual((await readSqlObjects('tidemark')).map(({ name }) => name))
    expect(result.warnings.length).toBe(isLogical ? 0 : 1)
    await expectWorking(empty.pool)
  })

  test('install the log in a database without a schema public', async () => {
    await using bare = await createTestDatabase({ template: false })
    await bare.pool.query('drop schema public')
    await migrateOnce(bare.connectionString)

    await expectWorking(bare.pool)
    const schemas = await bare.pool.query(`select from pg_namespace where nspname = 'public'`)
    expect(schemas.rowCount).toBe(0)
  })

  test('install the log in a schema that exists and is empty', async () => {
    await database.pool.query('create schema given')
    await migrateOnce(database.connectionString, 'given')
    await expectWorking(database.pool, 'given')
  })

  test('change nothing when they run again', async () => {
    const { pool, connectionString } = database
    await migrateOnce(connectionString, 'again')
    await expectWorking(pool, 'again')
    const content = /* sql */ `
      select 'migrations' as name, m.xmin, to_jsonb(m) as row from again.migrations as m
      union all
      select 'sql_objects', o.xmin, to_jsonb(o) from again.sql_objects as o
      union all
      select 'sequencer', s.xmin, to_jsonb(s) from again.sequencer as s
      order by 1, 3`
    const catalog = await listCatalogRows(pool)
    const { rows } = await pool.query(content)

    const { migrations, objects } = await migrateOnce(connectionString, 'again')
    expect({ migrations, objects }).toEqual({ migrations: [], objects: [] })
    expect((await pool.query(content)).rows).toEqual(rows)
    expect(await listCatalogRows(pool)).toEqual(catalog)
  })

  test('know a log whose comment somebody has changed', async () => {
    const { pool, connectionString } = database
    await migrateOnce(connectionString, 'commented')
    for (const comment of [`'of the shop'`, 'null']) {
      await pool.query(`comment on schema commented is ${comment}`)
      const again = await migrateOnce(connectionString, 'commented')
      expect(again).toMatchObject({ migrations: [], objects: [] })
    }
  })

  test('do not wait for a writer when there is nothing to do', async () => {
    const writer = await database.client()
    await writer.query(/* sql */ `
      begin;
      select tidemark.append('order-9', 'any', '[{"type": "placed", "data": {}}]')`)
    const impatient = new URL(database.connectionString)
    impatient.searchParams.set('options', '-c lock_timeout=2s')

    expect(await migrateOnce(impatient.href)).toMatchObject({ migrations: [], objects: [] })
    await writer.query('rollback')
    await writer.end()
  })
})

describe('what else is in the database', () => {
  test('is left as it was', async () => {
    await using users = await createTestDatabase({ template: false })
    const { pool, connectionString } = users
    await pool.query(usersDatabase)
    const content = /* sql */ `
      select m.xmin, to_jsonb(m) as row from public.pgmigrations as m
      union all
      select e.xmin, to_jsonb(e) from public.events as e`
    const catalog = await listCatalogRows(pool)
    const objects = await listObjectsOutside(pool, ['tidemark'])
    const { rows } = await pool.query(content)
    await migrateOnce(connectionString)

    const after = new Set(await listCatalogRows(pool))
    expect(catalog.filter((row) => !after.has(row))).toEqual([])
    const expected = [...objects, 'publication tidemark_log'].toSorted()
    expect((await listObjectsOutside(pool, ['tidemark'])).toSorted()).toEqual(expected)
    expect((await pool.query(content)).rows).toEqual(rows)
    await expectWorking(pool)
  })

  test('does not lead astray, and keeps its search path', async () => {
    await using users = await createTestDatabase({ template: false })
    const { name, pool, connectionString } = users
    await pool.query(/* sql */ `
      create schema crm;
      create table crm.events (id integer);
      create table crm.migrations (id integer primary key, name text, run_on timestamp);
      insert into crm.migrations values (1, '000001_events', now());
      alter database ${name} set search_path = crm, tidemark, public`)
    await migrateOnce(connectionString)
    await migrateOnce(database.connectionString, 'reference')

    const reference = await dumpLog(database.pool, 'reference')
    expect(await dumpLog(pool, 'tidemark')).toBe(reference)
    await expectWorking(pool)
    const session = await users.client()
    expect((await session.query('show search_path')).rows).toEqual([
      { search_path: 'crm, tidemark, public' },
    ])
    await session.end()
  })
})

describe('several runs at once', () => {
  test.each([2, 5])('of which there are %d install the log once', async (count) => {
    const { connectionString, pool } = database
    const schema = `one_of_${count}`
    const runs = Array.from({ length: count }, () => migrateOnce(connectionString, schema))
    const results = await Promise.all(runs)

    const [busy, ...others] = results.toSorted((a, b) => b.objects.length - a.objects.length)
    expect(busy?.objects.length).toBe((await readSqlObjects(schema)).length)
    for (const idle of others) expect(idle).toMatchObject({ migrations: [], objects: [] })
    await expectWorking(pool, schema)
  })

  test('install several logs in one database', async () => {
    await using several = await createTestDatabase({ template: false })
    const schemas = ['tidemark', 'orders', 'billing']
    await Promise.all(schemas.map((schema) => migrateOnce(several.connectionString, schema)))
    for (const schema of schemas) await expectWorking(several.pool, schema)
  })
})

describe('a log in another schema', () => {
  test('is the same log under another name', async () => {
    await migrateOnce(database.connectionString, 'moved_log')
    const ours = await dumpLog(database.pool, 'tidemark')
    expect(await dumpLog(database.pool, 'moved_log')).toBe(ours)
  })

  test('is independent of the first', async () => {
    await using both = await createTestDatabase()
    const { pool, connectionString } = both
    await migrateOnce(connectionString, 'orders')
    await expectWorking(pool)
    await expectWorking(pool, 'orders')

    const { rows } = await pool.query(/* sql */ `
      select
        (select count(*)::integer from tidemark.events) as first,
        (select count(*)::integer from orders.events) as second,
        tidemark.stream_lock_key('order-1') <> orders.stream_lock_key('order-1') as locks_differ`)
    expect(rows).toEqual([{ first: 1, second: 1, locks_differ: true }])
    await expect(pool.query('delete from orders.events')).rejects.toMatchObject({ code: 'TM001' })

    await pool.query('drop publication orders_log; drop schema orders cascade')
    await pool.query(`select tidemark.append('order-1', '1', '[{"type": "paid", "data": {}}]')`)
    expect(await migrateOnce(connectionString)).toMatchObject({ migrations: [], objects: [] })
  })

  // Names that functions use for parameters, variables, tables and aliases.
  test.each(['events', 'append', 'append_stream', 'e', 'inserted', 'v_row'])(
    'may be named %s',
    async (schema) => {
      await migrateOnce(database.connectionString, schema)
      await expectWorking(database.pool, schema)
    },
  )
})

describe('an object whose text has changed', () => {
  test('is applied again, and no other', async () => {
    const { pool, connectionString } = database
    await migrateOnce(connectionString, 'changed')
    const original = await dumpLog(pool, 'changed')
    await pool.query(/* sql */ `
      create or replace function changed.take_lead(generation bigint) returns changed.sequencer
        language sql as 'select null::changed.sequencer';
      update changed.sql_objects
      set hash = 'of an older release'
      where name = 'functions/take_lead.sql'`)
    const functions = /* sql */ `
      select oid, xmin, prosrc as source
      from pg_proc
      where pronamespace = 'changed'::regnamespace
      order by oid`
    const before = (await pool.query(functions)).rows

    const result = await migrateOnce(connectionString, 'changed')
    expect(result).toMatchObject({ migrations: [], objects: ['functions/take_lead.sql'] })
    const { rows } = await pool.query(functions)
    expect(rows.filter((row, index) => row.xmin !== before[index].xmin)).toMatchObject([
      { source: expect.stringContaining('taken over') },
    ])
    expect(await dumpLog(pool, 'changed')).toBe(original)
    expect((await migrateOnce(connectionString, 'changed')).objects).toEqual([])
  })

  test('is not applied when another one of the same run fails', async () => {
    const { pool, connectionString } = database
    await migrateOnce(connectionString, 'failing')
    await pool.query(/* sql */ `
      update failing.sql_objects
      set hash = ''
      where name like 'functions/append_stream%' or name in ('functions/append.sql', 'views/streams.sql');
      drop view failing.streams;
      create table failing.streams (id integer)`)
    const client = await connect({ connectionString })
    await expect(migrateLog(client, 'failing')).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: 'the migrations failed: "streams" is not a view',
      details: { step: '"streams" is not a view' },
      cause: expect.objectContaining({ code: '42809' }),
    })
    const locks = `select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`
    expect((await client.query(locks)).rowCount).toBe(0)
    await client.end()
    const pending = await pool.query(`select from failing.sql_objects where hash = ''`)
    expect(pending.rowCount).toBe(4)

    await pool.query('drop table failing.streams')
    expect((await migrateOnce(connectionString, 'failing')).objects.length).toBe(4)
    await expectWorking(pool, 'failing')
  })
})

/** What a user may have: migrations of their own with the same tool, and names like ours. */
const usersDatabase = /* sql */ `
  create table public.pgmigrations (
    id serial primary key, name varchar(255) not null, run_on timestamp not null
  );
  insert into public.pgmigrations (name, run_on) values ('0001_shop', now());
  create table public.events (id integer primary key, name text default 'x' check (name <> ''));
  insert into public.events values (1, 'concert');
  create view public.log as select * from public.events;
  create function public.append(text) returns text language sql as 'select $1';
  create type public.log_row as (id integer);
  create schema crm;
  create table crm.commits (id integer references public.events);
  create publication shop for table public.events;
  comment on table public.events is 'concerts';
  create function crm.noted() returns event_trigger language plpgsql as 'begin end';
  create event trigger noted on ddl_command_end execute function crm.noted();
  alter default privileges in schema crm grant select on tables to public`
