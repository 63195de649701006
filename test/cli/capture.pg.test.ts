import { afterAll, beforeAll, expect, test } from 'vitest'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { runCli } from './spawn-cli.ts'

const database = useDatabase()
let project: Awaited<ReturnType<typeof makeProject>>

beforeAll(async () => {
  project = await makeProject({})
  await database.pool.query(`create table orders (id integer primary key, status text, secret text);
    insert into orders select g, 'new', 's' from generate_series(1, 3) as g`)
})
afterAll(() => project[Symbol.asyncDispose]())

const tidemark = (...args: readonly string[]) =>
  runCli(['capture', ...args], {
    cwd: project.directory,
    env: { DATABASE_URL: database.connectionString },
  })

test('capture installs, lists, takes a snapshot and removes', { timeout: 60_000 }, async () => {
  expect(await tidemark('--list')).toMatchObject({ code: 0, stdout: 'no table is captured\n' })
  const installed = await tidemark(
    'public.orders',
    '--as',
    'order',
    '--except',
    'secret',
    '--snapshot',
  )
  expect([installed.code, installed.stderr]).toEqual([0, ''])
  expect(installed.stdout).toBe(
    'public.orders is captured as "order": streams order-<id>, events order.created, .changed and .deleted ' +
      'with id, status\n3 rows of public.orders, 3 of them new to the log\n',
  )
  const again = await tidemark('public.orders', '--snapshot', '--json')
  expect(JSON.parse(again.stdout)).toEqual({
    installed: null,
    snapshot: { table: 'public.orders', rows: 3, captured: 0 },
  })
  const list = await tidemark('--list')
  expect(list.stdout).toMatch(/│ public\.orders │ order │ id +│ all but secret │ 1 +│/)
  await database.pool.query('alter table orders rename secret to hidden')
  const drifted = await tidemark('--list')
  expect(drifted.stdout).toContain(
    'warning public.orders: column "secret" of its filter is not there',
  )
  const [one] = JSON.parse((await tidemark('--list', '--json')).stdout)
  expect(one).toMatchObject({ table: 'public.orders', category: 'order', schemaVersion: 1 })
  expect(await tidemark('--remove', 'public.orders')).toMatchObject({
    code: 0,
    stdout: 'public.orders is not captured any more; events of "order" stay\n',
  })
})

test('capture refuses what is not there, not captured, or makes no sense', {
  timeout: 60_000,
}, async () => {
  expect((await tidemark('public.nothing', '--as', 'nothing')).code).toBe(4)
  expect((await tidemark('--remove', 'public.orders')).code).toBe(4)
  expect((await tidemark('public.orders')).code).toBe(2)
  expect((await tidemark('public.orders', '--as', 'a-b')).code).toBe(2)
  expect((await tidemark('--as', 'order')).code).toBe(2)
  expect((await tidemark('--list', '--remove')).code).toBe(2)
})
