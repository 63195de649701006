import { beforeEach, expect, test } from 'vitest'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()

beforeEach(async () => {
  await database.pool.query(`delete from tidemark.subscriptions where kind = 'relay'`)
  await trimAll()
})

/** Publishes transactions of these sizes and gives them positions. */
async function publish(...sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    await database.pool.query(
      `select count(tidemark.publish('kept', to_jsonb(n))) from generate_series(1, $1::integer) as n`,
      [size],
    )
  }
  await sequenceNow(database.pool)
}

async function trim(maxMessages = 1_000, olderThan = '0 s'): Promise<number> {
  const { rows } = await database.pool.query(
    'select tidemark.trim_outbox($1, $2)::integer as removed',
    [olderThan, maxMessages],
  )
  return rows[0].removed
}

async function trimAll(): Promise<number> {
  let all = 0
  for (let removed = await trim(); removed > 0; removed = await trim()) all += removed
  return all
}

async function begin(name: string, after: bigint | null): Promise<bigint> {
  await database.pool.query('select tidemark.begin_relay($1, $2)', [name, after])
  const { rows } = await database.pool.query(
    `select position::text from tidemark.subscriptions where kind = 'relay' and name = $1`,
    [name],
  )
  return BigInt(rows[0].position)
}

async function head(): Promise<bigint> {
  const { rows } = await database.pool.query(
    'select outbox_position::text as position from tidemark.sequencer',
  )
  return BigInt(rows[0].position)
}

/** What is left: dense from the end, or a reader stops. */
async function left(after: bigint): Promise<number> {
  const { rows } = await database.pool.query(
    'select count(message_id)::integer as n from tidemark.read_outbox($1, 100000)',
    [after],
  )
  const { rows: held } = await database.pool.query(
    'select count(*)::integer as n from tidemark.outbox',
  )
  expect(held).toEqual(rows)
  return rows[0].n
}

test('removes what every relay has passed, and nothing else', async () => {
  const start = await head()
  await publish(2, 3, 4)
  await begin('fast', start + 9n)
  await begin('slow', start + 5n)
  expect(await trimAll()).toBe(5)
  expect(await left(start + 5n)).toBe(4)
})

test('removes a commit in parts where a relay stands inside it', async () => {
  const start = await head()
  await publish(10)
  await begin('inside', start + 4n)
  expect(await trimAll()).toBe(4)
  expect(await left(start + 4n)).toBe(6)
})

test('removes no more at once than it is told, also of a large commit', async () => {
  const start = await head()
  await publish(3, 25, 2)
  const removed: number[] = []
  for (let n = await trim(10); n > 0; n = await trim(10)) removed.push(n)
  expect(Math.max(...removed)).toBeLessThanOrEqual(10)
  expect(removed.reduce((a, b) => a + b)).toBe(30)
  expect(await left(start + 30n)).toBe(0)
})

test('keeps what is not old enough', async () => {
  const start = await head()
  await publish(3)
  expect(await trim(1_000, '1 hour')).toBe(0)
  expect(await left(start)).toBe(3)
})

test('keeps what has no position yet', async () => {
  await database.pool.query(`select tidemark.publish('late', '1')`)
  expect(await trimAll()).toBe(0)
  await sequenceNow(database.pool)
  expect(await trimAll()).toBe(1)
})

test('a new relay begins where something is left', async () => {
  const start = await head()
  await publish(4, 4)
  await begin('passed', start + 4n)
  await trimAll()
  expect(await begin('all', 0n)).toBe(start + 4n)
  expect(await begin('later', start + 6n)).toBe(start + 6n)
  expect(await begin('beyond', start + 600n)).toBe(start + 8n)
  expect(await begin('now', null)).toBe(start + 8n)
  // Once begun, it stays where it is.
  expect(await begin('now', 0n)).toBe(start + 8n)
})

test('a relay that begins while messages are removed waits, and misses none that are left', async () => {
  const start = await head()
  await publish(5)
  const [trimming, beginning] = [await database.client(), await database.client()]
  await trimming.query('begin')
  await trimming.query(`select tidemark.trim_outbox('0 s', 100)`)
  const begun = beginning.query(`select tidemark.begin_relay('meanwhile', 0)`)
  await trimming.query('commit')
  await begun
  const { rows } = await database.pool.query(
    `select position::text from tidemark.subscriptions where name = 'meanwhile'`,
  )
  expect(rows).toEqual([{ position: `${start + 5n}` }])
  expect(await left(start + 5n)).toBe(0)
})
