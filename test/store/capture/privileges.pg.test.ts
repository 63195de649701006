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

test('truncate is refused where row security would hide rows from the log', async () => {
  const { name } = await login()
  const owner = await createRole()
  await database.pool.query(`grant usage, create on schema app to ${owner.name}`)
  onTestFinished(async () => {
    await database.pool.query(`drop owned by ${owner.name} cascade`)
    await owner[Symbol.asyncDispose]()
  })
  await database.pool.query(`create table app.secured (id integer primary key); insert into app.secured values (1);
    alter table app.secured enable row level security`)
  await captures().install('app.secured', { as: 'secured' })
  // As if a user owned the log who is subject to the policies.
  await database.pool.query(`
    grant usage on schema tidemark to ${owner.name};
    grant select on app.secured to ${owner.name};
    grant create on schema tidemark to ${owner.name};
    alter function tidemark.capture_truncate() owner to ${owner.name}`)
  try {
    await expect(database.pool.query('truncate app.secured')).rejects.toMatchObject({
      code: '42501',
    })
  } finally {
    await database.pool.query(
      `alter function tidemark.capture_truncate() owner to current_user; revoke all on schema tidemark from ${owner.name}`,
    )
  }
  expect(name).toBeDefined()
})
