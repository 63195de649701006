import { expect, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { captureStore } from '../../../src/store/capture/capture-store.ts'
import { useDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { brief, readCategory } from './capture-fixture.ts'

const database = useDatabase()
const captures = () => captureStore(database.pool, logNames())
const query = (text: string) => database.pool.query(text)

async function captureTable(category: string, rows: number): Promise<string> {
  const table = `public.${category}s`
  await query(`create table ${table} (id integer primary key, n integer);
    insert into ${table} select g, 0 from generate_series(1, ${rows}) as g`)
  await captures().install(table, { as: category })
  return table
}

async function untilWaiting(pid: number): Promise<void> {
  await until('the session to wait for a lock', async (saw) => {
    const { rows } = await query(`select wait_event_type from pg_stat_activity where pid = ${pid}`)
    saw(rows)
    return rows[0]?.wait_event_type === 'Lock'
  })
}

const pidOf = async (client: { query: (text: string) => Promise<{ rows: { pid: number }[] }> }) =>
  (await client.query('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0

test('a change waits for an append to its stream, and takes the version after it', async () => {
  const table = await captureTable('mixed', 1)
  const [appender, writer] = [await database.client(), await database.client()]
  const pid = await pidOf(writer)
  await appender.query('begin')
  await appender.query(
    `select tidemark.append('mixed-1', 'any', '[{"type": "noted", "data": {}}]')`,
  )
  const change = writer.query(`update ${table} set n = 1`)
  await untilWaiting(pid)
  await appender.query('commit')
  await change
  expect((await readCategory(database.pool, 'mixed')).map(brief)).toEqual([
    'mixed-1 1 noted',
    'mixed-1 2 mixed.changed',
  ])
})

test('a transaction that keeps an old snapshot fails to be begun anew, with no hole in the stream', async () => {
  const table = await captureTable('kept', 1)
  const old = await database.client()
  await old.query('begin isolation level repeatable read')
  await old.query('select 1')
  await query(`delete from ${table}`)
  await expect(old.query(`insert into ${table} values (1)`)).rejects.toMatchObject({
    code: '40001',
  })
  await old.query('rollback')
  await query(`insert into ${table} values (1)`)
  expect((await readCategory(database.pool, 'kept')).map(brief)).toEqual([
    'kept-1 1 kept.deleted',
    'kept-1 2 kept.created',
  ])
})

test('two sessions that change rows in one order never wait for each other but for the rows', async () => {
  const table = await captureTable('ordered', 300)
  const rounds = [1, 2, 3].map(async (n) => {
    for (let round = 0; round < 3; round += 1) {
      const client = await database.pool.connect()
      try {
        await client.query('begin')
        await client.query(`select from ${table} order by id for update`)
        await client.query(`update ${table} set n = n + ${n}`)
        await client.query('commit')
      } finally {
        client.release()
      }
    }
  })
  await Promise.all(rounds)
  const log = await readCategory(database.pool, 'ordered')
  expect(log).toHaveLength(300 * 9)
})

test('a statement over many rows takes no lock for each stream, and holds up no append', async () => {
  const table = await captureTable('many', 2_000)
  const [client, appender] = [await database.client(), await database.client()]
  await client.query('begin')
  await client.query(`update ${table} set n = 1`)
  const { rows } = await client.query(
    `select count(*)::integer as locks from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'`,
  )
  expect(rows[0].locks).toBe(1)
  // Were the log locked, this would wait for what never ends.
  await appender.query(`set lock_timeout = '5s'`)
  await appender.query(
    `select tidemark.append('other-1', 'any', '[{"type": "noted", "data": {}}]')`,
  )
  await client.query('commit')
  expect(await readCategory(database.pool, 'many')).toHaveLength(2_000)
}, 60_000)
