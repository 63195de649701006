import { afterAll, beforeAll, expect, test } from 'vitest'
import { createStore, migrate } from '../../src/index.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { runCli } from './spawn-cli.ts'

const database = useDatabase({ template: false })

const config = `
import { defineConfig } from 'tidemark'
export default defineConfig({ connectionString: process.env.DATABASE_URL })
`

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': config })
  await migrate({ connectionString: database.connectionString })
})
afterAll(() => project[Symbol.asyncDispose]())

const run = (...args: readonly string[]) =>
  runCli(args, { cwd: project.directory, env: { DATABASE_URL: database.connectionString } })

/** Publishes messages, and has a relay that nobody runs have parked them. */
async function park(relay: string): Promise<void> {
  await using store = await createStore({ connectionString: database.connectionString })
  await database.pool.query('select tidemark.begin_relay($1, 0)', [relay])
  await store.publishMany(null, [
    { topic: 'orders.placed', data: { n: 1 }, key: 'order-7', headers: { by: 'a' } },
    { topic: 'orders.paid', data: { n: 2 }, key: 'order-7' },
    { topic: 'orders.note', data: '\u001b[31mred', key: null },
    { topic: 'orders.placed', data: { n: 4 }, key: 'order-8' },
  ])
  await sequenceNow(database.pool)
  await database.pool.query(
    /* sql */ `
    insert into tidemark.parked_messages
      (relay, position, message_id, topic, key, data, headers, recorded_at, error, attempts)
    select $1, position, message_id, topic, key, data, headers, recorded_at,
      case when topic <> 'orders.paid' then '{"code": "MESSAGE_REFUSED", "message": "no queue is bound"}'::jsonb end,
      (topic <> 'orders.paid')::integer
    from tidemark.read_outbox(0, 100)
    where message_id is not null
      and key is distinct from 'order-8'`,
    [relay],
  )
}

test('lists, shows, retries and gives up messages of relays, and drops one', {
  timeout: 180_000,
}, async () => {
  await park('shop')
  const list = await run('parked', 'list')
  expect(list.stdout).toMatch(
    /│ shop +│ order-7 │ 2 +│ 1 +│ orders\.placed │ 1 +│ no queue is bound │\n│ shop +│ +│ 1 +│ 3 +│ orders\.note +│ 1 +│/,
  )
  const byName = JSON.parse((await run('parked', 'list', 'shop', '--json')).stdout)
  expect(byName).toMatchObject([
    {
      kind: 'relay',
      name: 'shop',
      key: 'order-7',
      messages: 2,
      retried: 0,
      first: { position: '1' },
    },
    { kind: 'relay', name: 'shop', key: null, messages: 1, first: { position: '3' } },
  ])
  expect((await run('parked', 'list', '--relay', 'other')).stdout).toBe('nothing is parked\n')

  const shown = await run('parked', 'show', '--relay', 'shop')
  expect(shown.stdout).toContain(
    'topic orders.placed, key "order-7": 1 attempts; no queue is bound',
  )
  expect(shown.stdout).toContain('headers: {"by":"a"}\ndata: {"n":1}')
  expect(shown.stdout).toContain(
    'topic orders.paid, key "order-7": 0 attempts; waits behind another of its key',
  )
  expect(shown.stdout).not.toContain('\u001b')
  const status = (await run('status')).stdout
  expect(status).toContain(
    'relay "shop" has 3 messages parked: `tidemark parked list --relay shop` shows why',
  )
  expect(status).toContain(
    'relay "shop" is run by no worker, and the outbox keeps 4 messages for it: run it, or let them go with ' +
      '`tidemark drop shop --kind relay`',
  )
  const doctor = (await run('doctor')).stdout
  expect(doctor).toContain('for which the outbox keeps 4 messages')
  expect(doctor).toContain('`tidemark drop shop --kind relay`')
  expect(doctor).toContain('relay "shop" has 3 messages parked')

  const one = await run('parked', 'retry', '--relay', 'shop', '--position', '2', '--json')
  expect(JSON.parse(one.stdout)).toEqual({ relay: 'shop', retried: ['1', '2'] })
  expect((await run('parked', 'list', 'shop')).stdout).toMatch(/│ order-7 │ 2 .*is tried once more/)
  const all = await run('parked', 'retry', 'shop')
  expect(all).toMatchObject({
    code: 0,
    stdout: '3 messages are tried once more by the worker that runs relay "shop"\n',
  })
  expect((await run('parked', 'retry', '--relay', 'shop', '--key', 'order-9')).code).toBe(4)
  expect((await run('parked', 'retry', '--relay', 'nobody')).code).toBe(4)

  expect((await run('parked', 'discard', 'shop', '--yes')).code).toBe(2)
  const unsure = await run('parked', 'discard', '--relay', 'shop', '--key', 'order-7')
  expect(unsure).toMatchObject({ code: 0, stderr: '' })
  expect(unsure.stdout.trim().split('\n').at(-1)).toBe(
    'nothing was changed: with --yes 2 messages will never be published',
  )
  expect((await run('parked', 'discard', 'shop', '--position', '9', '--yes')).code).toBe(4)
  const gone = await run('parked', 'discard', 'shop', '--key', 'order-7', '--yes')
  expect(gone).toMatchObject({ code: 0, stdout: '2 messages of relay "shop" are given up\n' })
  expect((await run('parked', 'discard', 'shop', '--position', '3', '--yes')).code).toBe(0)
  expect((await run('parked', 'list')).stdout).toBe('nothing is parked\n')

  expect((await run('drop', 'shop', '--kind', 'relay', '--version', '1')).code).toBe(2)
  expect((await run('drop', 'shop', '--kind', 'reactor')).code).toBe(4)
  const dropped = await run('drop', 'shop', '--kind', 'relay')
  expect(dropped).toMatchObject({ code: 0, stdout: 'relay "shop" is removed\n' })
  expect((await run('status')).stdout).toContain('no subscriptions yet')
})
