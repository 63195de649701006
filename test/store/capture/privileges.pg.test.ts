import type pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { captureStore } from '../../../src/store/capture/capture-store.ts'
import { createRole } from '../../db/create-role.ts'
import { useDatabase } from '../../support/database.ts'
import { brief, readCategory } from './capture-fixture.ts'

const database = useDatabase()
const captures = () => captureStore(database.pool, logNames())

/** Connects a user who may use the schema `app`, and nothing of the log. */
async function login(): Promise<{ readonly client: pg.Client; readonly name: string }> {
  const user = await createRole()
  const client = await database.client({
    connectionString: user.loginTo(database.connectionString),
  })
  await database.pool.query(
    `create schema if not exists app; grant usage on schema app to ${user.name}`,
  )
  onTestFinished(async () => {
    await client.end()
    await database.pool.query(`drop owned by ${user.name} cascade`)
    await user[Symbol.asyncDispose]()
  })
  return { client, name: user.name }
}

test('who may change the table need not be allowed to append, and cannot by it', async () => {
  const { client, name } = await login()
  await database.pool.query(`create table app.orders (id integer primary key, a text);
    grant select, insert, update, delete, truncate on app.orders to ${name}`)
  await captures().install('app.orders', { as: 'order' })
  await client.query(`insert into app.orders values (1, 'x')`)
  await client.query(`update app.orders set a = 'y'`)
  await client.query(`truncate app.orders`)
  const events = await readCategory(database.pool, 'order')
  expect(events.map(brief)).toEqual([
    'order-1 1 order.created',
    'order-1 2 order.changed',
    'order-1 3 order.deleted',
  ])
  expect(events[0]?.metadata.capture.user).toBe(name)
  await client.query('create temp table mine (id integer primary key)')
  for (const statement of [
    'select * from tidemark.events',
    `select tidemark.append('order-1', 'any', '[{"type": "order.created", "data": {}}]')`,
    `select tidemark.append_captured('order-1', '[0:6]={order,1,"{}","","{}","{}",id}', 'created', '{}', 'x')`,
    `create trigger forged after insert on mine for each row
      execute function tidemark.capture_row('order', '1', '{}', '', '{}', '{}', 'id')`,
    `create trigger forged before truncate on mine for each statement
      execute function tidemark.capture_truncate('order', '1', '{}', '', '{}', '{}', 'id')`,
    'select tidemark.capture_row()',
    'alter table app.orders disable trigger all',
  ]) {
    await expect(client.query(statement), statement).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|0A000)$/),
    })
  }
  await captures().remove('app.orders')
})

test('a role that was set is told from the user who logged in', async () => {
  const { client, name } = await login()
  const group = await createRole()
  await database.pool.query(`create table app.items (id integer primary key); grant ${group.name} to ${name};
    grant usage on schema app to ${group.name}; grant insert on app.items to ${group.name}`)
  onTestFinished(async () => {
    await database.pool.query(`drop owned by ${group.name}`)
    await group[Symbol.asyncDispose]()
  })
  await captures().install('app.items', { as: 'item' })
  await client.query(`set role ${group.name}`)
  await client.query('insert into app.items values (1)')
  const [event] = await readCategory(database.pool, 'item')
  expect(event?.metadata.capture).toMatchObject({ user: name, role: group.name })
  await client.query('reset role')
  await captures().remove('app.items')
})

test('functions, tables and operators of others cannot be mistaken for ours', async () => {
  const { client, name } = await login()
  await database.pool.query(`create table app.things (id integer primary key, a text);
    grant all on app.things to ${name}; create schema evil authorization ${name}`)
  await captures().install('app.things', { as: 'thing' })
  await client.query(`
    create function evil.to_jsonb(record) returns jsonb language plpgsql as $$ begin raise exception 'evil'; end $$;
    create function evil.gen_random_uuid() returns uuid language plpgsql as $$ begin raise exception 'evil'; end $$;
    create function evil.format(text, text, text) returns text language plpgsql as $$ begin raise exception 'evil'; end $$;
    create temp table events (id integer); create temp table at_home (id integer);
    set search_path = evil, pg_temp, pg_catalog`)
  await client.query(
    `insert into app.things values (1, 'x'); update app.things set a = 'y'; truncate app.things`,
  )
  expect(await readCategory(database.pool, 'thing')).toHaveLength(3)
  await captures().remove('app.things')
})

test('who does not own log and table cannot capture it', async () => {
  const { client, name } = await login()
  await database.pool.query(`create table app.others (id integer primary key)`)
  await database.pool.query(`grant usage on schema tidemark to ${name};
    grant select on tidemark.inline_projections to ${name}`)
  const pool = { connect: async () => Object.assign(client, { release: () => {} }) }
  const refused = captureStore(pool as unknown as pg.Pool, logNames()).install('app.others', {
    as: 'other',
  })
  await expect(refused).rejects.toMatchObject({ code: 'PRIVILEGE_MISSING' })
  // His own table, but not his log.
  await client.query('reset all')
  await database.pool.query(
    `alter table app.others owner to ${name}; grant create on schema app to ${name}`,
  )
  const again = captureStore(pool as unknown as pg.Pool, logNames()).install('app.others', {
    as: 'other',
  })
  await expect(again).rejects.toMatchObject({ code: 'PRIVILEGE_MISSING' })
})

test('truncate is refused to who may not read all of the rows', async () => {
  const { client, name } = await login()
  await database.pool.query(`create table app.secured (id integer primary key); insert into app.secured values (1);
    grant truncate on app.secured to ${name}`)
  await captures().install('app.secured', { as: 'secured' })
  const truncate = () => client.query('truncate app.secured')
  await expect(truncate()).rejects.toMatchObject({ code: '42501' })
  await database.pool.query(`grant select on app.secured to ${name};
    alter table app.secured enable row level security`)
  await expect(truncate()).rejects.toMatchObject({ code: '42501' })
  await database.pool.query('alter table app.secured disable row level security')
  await truncate()
  expect((await readCategory(database.pool, 'secured')).map(brief)).toEqual([
    'secured-1 1 secured.deleted',
  ])
  await captures().remove('app.secured')
})

/** A table with a column whose cast to json, and that of a part of it, does what its owner wants. */
async function makeEvilTable(table: string) {
  const owner = await login()
  await database.pool.query(`grant create on schema app to ${owner.name}`)
  await owner.client.query(/* sql */ `
    create table app.ran (who name, did text);
    grant insert on app.ran to public;
    create type app.${table}_kind as enum ('a', 'b');
    create type app.${table}_pair as (kind app.${table}_kind, kinds app.${table}_kind[]);
    create function app.${table}_evil(app.${table}_kind) returns json language plpgsql as $$
    declare
      statement text;
    begin
      insert into app.ran values (current_user, 'ran');
      foreach statement in array array[
        'select count(*) from tidemark.events',
        'delete from tidemark.subscriptions',
        'select tidemark.append(''victim-1'', ''any'', ''[{"type": "forged", "data": {}}]'')',
        'select tidemark.append_captured(''victim-1'', ''[0:6]={victim,1,"{}","","{}","{}",id}'', ''created'', ''{}'', ''x'')',
        'create role ${table}_super superuser',
        'set role postgres'
      ] loop
        begin
          execute statement;
          insert into app.ran values (current_user, statement);
        exception when others then
          null;
        end;
      end loop;
      return '"evil"';
    end $$;
    create cast (app.${table}_kind as json) with function app.${table}_evil(app.${table}_kind);
    create table app.${table} (id integer primary key, kind app.${table}_kind, pair app.${table}_pair);
    grant all on app.${table} to public`)
  const ran = async () => {
    const { rows } = await database.pool.query(
      'select distinct who, did from app.ran order by 1, 2',
    )
    return rows
  }
  return { owner, ran }
}

test('casts that a column brings along run with the rights of who writes, never of the log', async () => {
  const { owner, ran } = await makeEvilTable('evil')
  const writer = await login()
  await captures().install('app.evil', { as: 'evil' })
  for (const { client } of [owner, writer]) {
    await client.query(`insert into app.evil values (1, 'a', '(a,"{a,b}")'), (2, 'b', null)`)
    await client.query(`update app.evil set kind = 'b'`)
    await client.query('delete from app.evil where id = 1')
    await client.query('truncate app.evil')
  }
  const names = [owner.name, writer.name].sort()
  expect(await ran()).toEqual(names.map((who) => ({ who, did: 'ran' })))
  const events = await readCategory(database.pool, 'evil')
  // The updates change nothing that is recorded.
  expect(events).toHaveLength(8)
  expect(events[0]?.data).toEqual({
    row: { id: 1, kind: 'evil', pair: { kind: 'evil', kinds: ['evil', 'evil'] } },
  })
  expect(await readCategory(database.pool, 'victim')).toEqual([])

  // A snapshot would run them as the log's owner.
  await owner.client.query(`insert into app.evil values (1, 'a')`)
  await expect(captures().snapshot('app.evil')).rejects.toMatchObject({
    code: 'TABLE_NOT_CAPTURABLE',
    message: expect.stringContaining('app.evil_kind as json'),
  })
  expect(await ran()).toEqual(names.map((who) => ({ who, did: 'ran' })))
  await captures().remove('app.evil')
  await owner.client.query('drop schema if exists nothing; drop table app.ran, app.evil')
})

test('who may write a captured table cannot say what became of its rows, nor read them by it', async () => {
  const { client, name } = await login()
  await database.pool.query(`create table app.guarded (id integer primary key, a text, secret text);
    insert into app.guarded values (1, 'x', 'hidden');
    grant insert, delete, update (a), select (id) on app.guarded to ${name}`)
  await captures().install('app.guarded', { as: 'guarded' })
  const forge = `select set_config('tidemark.captured', '{"id": 99, "a": "forged"}', false)`
  const left = async () =>
    (await client.query(`select current_setting('tidemark.captured', true) as captured`)).rows[0]
  await client.query(forge)
  await client.query(`update app.guarded set a = 'y' where id = 1`)
  await client.query(forge)
  await client.query(`update app.guarded set a = a where id = 1`).catch(() => {})
  await client.query('begin')
  await client.query(`update app.guarded set a = 'z' where id = 1`)
  expect(await left()).toEqual({ captured: '' })
  await client.query('commit')
  await client.query(`with gone as (delete from app.guarded where id = 1 returning id)
    insert into app.guarded select set_config('tidemark.captured', 'same', true)::text::integer from gone where false`)
  const events = await readCategory(database.pool, 'guarded')
  expect(events.map(brief)).toEqual([
    'guarded-1 1 guarded.changed',
    'guarded-1 2 guarded.changed',
    'guarded-1 3 guarded.deleted',
  ])
  expect(events[0]?.data.row).toEqual({ id: 1, a: 'y', secret: 'hidden' })
  await captures().remove('app.guarded')
})

test('a table that has lost one of its triggers takes no writes, and its list says why', async () => {
  await database.pool.query(
    `create schema if not exists app; create table app.half (id integer primary key)`,
  )
  await captures().install('app.half', { as: 'half' })
  await database.pool.query(`alter table app.half disable trigger "00_tidemark_capture_1"`)
  await expect(database.pool.query('insert into app.half values (1)')).rejects.toMatchObject({
    code: '55000',
    message: 'table app.half is captured by one trigger alone',
  })
  const [capture] = await captures().list()
  expect(capture?.problems).toEqual([expect.stringContaining('trigger is disabled')])
  await database.pool.query(`alter table app.half enable always trigger "00_tidemark_capture_1";
    alter table app.half disable trigger "00_tidemark_capture_truncate_1"`)
  await expect(database.pool.query('truncate app.half')).rejects.toMatchObject({ code: '55000' })
  await captures().install('app.half', { as: 'half' })
  await database.pool.query('insert into app.half values (1); truncate app.half')
  expect((await captures().list())[0]?.problems).toEqual([])
  await captures().remove('app.half')
})
