import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect } from 'kysely'
import { expect, test } from 'vitest'
import { connect } from '../../src/db/connect.ts'
import type { Connection } from '../../src/db/queryable.ts'
import { run } from '../../src/db/queryable.ts'
import { transaction } from '../../src/db/transaction.ts'
import { consume, trimInbox } from '../../src/outbox/inbox.ts'
import { createRole } from '../db/create-role.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

const aMessage = () => ({ source: 'payments', id: randomUUID() })

/** Appends an event, and gives back the version of its stream. */
const append = (stream: string) => async (tx: Connection) => {
  const [row] = await run<{ version: string }>(tx, {
    text: `select version from tidemark.append($1, 'any', '[{"type": "paid", "data": {}}]')`,
    values: [stream],
  })
  return row?.version
}

async function versionOf(stream: string): Promise<number> {
  const { rows } = await database.pool.query(
    'select count(*)::int as count from tidemark.events where stream_id = $1',
    [stream],
  )
  return rows[0].count
}

test('gives a message its effect once', async () => {
  const message = aMessage()
  const stream = `order-${message.id}`
  const first = await consume(database.pool, message, append(stream))
  expect(first).toEqual({ outcome: 'processed', result: '1' })
  for (let n = 0; n < 3; n += 1) {
    const again = await consume(database.pool, message, append(stream))
    expect(again).toEqual({ outcome: 'duplicate' })
  }
  expect(await versionOf(stream)).toBe(1)
})

test('knows messages of one id from several sources', async () => {
  const message = aMessage()
  const stream = `order-${message.id}`
  for (const source of ['a', 'b']) {
    const { outcome } = await consume(database.pool, { ...message, source }, append(stream))
    expect(outcome).toBe('processed')
  }
  expect(await versionOf(stream)).toBe(2)
})

test('records nothing when the effect fails, and has it when the message comes again', async () => {
  const message = aMessage()
  const stream = `order-${message.id}`
  const failing = async (tx: Connection) => {
    await append(stream)(tx)
    throw new Error('no')
  }
  await expect(consume(database.pool, message, failing)).rejects.toThrow('no')
  expect(await versionOf(stream)).toBe(0)
  const { outcome } = await consume(database.pool, message, append(stream))
  expect(outcome).toBe('processed')
  expect(await versionOf(stream)).toBe(1)
})

test('lets whoever has the same message at the same time wait, and tells them', async () => {
  const message = aMessage()
  const stream = `order-${message.id}`
  const going = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const first = consume(database.pool, message, async (tx) => {
    begun.resolve()
    await going.promise
    return append(stream)(tx)
  })
  await begun.promise
  const others = Array.from({ length: 4 }, () => consume(database.pool, message, append(stream)))
  await untilWaiting(4)
  going.resolve()
  expect(await first).toEqual({ outcome: 'processed', result: '1' })
  expect(await Promise.all(others)).toEqual(others.map(() => ({ outcome: 'duplicate' })))
  expect(await versionOf(stream)).toBe(1)
})

test('lets one of those who wait have the effect when the first fails', async () => {
  const message = aMessage()
  const stream = `order-${message.id}`
  const going = Promise.withResolvers<never>()
  going.promise.catch(() => {})
  const begun = Promise.withResolvers<void>()
  const first = consume(database.pool, message, () => {
    begun.resolve()
    return going.promise
  })
  first.catch(() => {})
  await begun.promise
  const others = Array.from({ length: 3 }, () => consume(database.pool, message, append(stream)))
  await untilWaiting(3)
  going.reject(new Error('no'))
  await expect(first).rejects.toThrow('no')
  const outcomes = (await Promise.all(others)).map(({ outcome }) => outcome)
  expect(outcomes.toSorted()).toEqual(['duplicate', 'duplicate', 'processed'])
  expect(await versionOf(stream)).toBe(1)
})

test('joins the transaction of its caller, of pg and of Kysely', async () => {
  const message = aMessage()
  const stream = `order-${message.id}`
  const rolledBack = transaction(database.pool, async (client) => {
    await consume(client, message, append(stream))
    throw new Error('no')
  })
  await expect(rolledBack).rejects.toThrow('no')
  expect(await versionOf(stream)).toBe(0)

  const db = new Kysely({ dialect: new PostgresDialect({ pool: database.pool }) })
  const consumed = await db.transaction().execute((tx) => consume(tx, message, append(stream)))
  expect(consumed).toEqual({ outcome: 'processed', result: '1' })
  expect(await consume(database.pool, message, append(stream))).toEqual({ outcome: 'duplicate' })
})

test('forgets old messages in bulk, and no others', async () => {
  const { pool } = database
  await pool.query('delete from tidemark.inbox')
  await pool.query(/* sql */ `
    insert into tidemark.inbox (source, message_id, received_at)
    select 'old', n::text, now() - n * interval '1 hour'
    from generate_series(1, 100) as n`)
  const before = new Date(Date.now() - 30.5 * 60 * 60 * 1000)
  expect(await trimInbox(pool, { before, batchSize: 7 })).toBe(70n)
  expect(await trimInbox(pool, { before, batchSize: 7 })).toBe(0n)
  const { rows } = await pool.query('select count(*)::int as count from tidemark.inbox')
  expect(rows[0].count).toBe(30)
  const forgotten = await consume(pool, { source: 'old', id: '31' }, async () => {})
  expect(forgotten.outcome).toBe('processed')
})

test.each(['', 'x'.repeat(1_001), undefined as unknown as string])(
  'refuses the id %j',
  async (id) => {
    await expect(consume(database.pool, { source: 'a', id }, async () => {})).rejects.toMatchObject(
      { code: 'OPTION_INVALID' },
    )
  },
)

test('needs no more than the role of those who append', async () => {
  await using role = await createRole('in role tidemark_append')
  const client = await connect({ connectionString: role.loginTo(database.connectionString) })
  await client.query('begin')
  const message = aMessage()
  const consumed = await consume(client, message, append(`order-${message.id}`))
  expect(consumed.outcome).toBe('processed')
  await client.query('commit')
  await expect(client.query('select from tidemark.inbox')).rejects.toThrow(/permission denied/)
  await client.end()
})

async function untilWaiting(count: number): Promise<void> {
  await until(`${count} to wait`, async (saw) => {
    const { rows } = await database.pool.query(
      `select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%receive_message%'`,
    )
    saw(rows.length)
    return rows.length === count
  })
}
