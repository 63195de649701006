import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logNames } from '../../src/db/log-names.ts'
import { createStore } from '../../src/index.ts'
import { readOutbox } from '../../src/outbox/read-outbox.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { matchesByModel, pattern, topic } from './topics.ts'

const database = useDatabase()
const names = logNames()

async function openStore() {
  return createStore({ connectionString: database.connectionString })
}

/** Reads all messages, in runs of so many. */
async function readAll(maxMessages: number, topics: readonly string[] | null = null) {
  const messages = []
  let after: { position: bigint; insertId: string | null } = { position: 0n, insertId: null }
  for (;;) {
    const run = await readOutbox(database.pool, names, { after, maxMessages, topics })
    if (run.end.position === after.position) return messages
    messages.push(...run.messages)
    after = run.end
  }
}

test('in SQL a topic matches a pattern exactly when the definition says so', async () => {
  const pairs = fc.sample(fc.tuple(topic, pattern), 2_000)
  const { rows } = await database.pool.query<{ matches: boolean }>(
    `select tidemark.topic_matches(p.topic, p.pattern) as matches
     from unnest($1::text[], $2::text[]) with ordinality as p (topic, pattern, n) order by p.n`,
    [pairs.map(([topic]) => topic), pairs.map(([, pattern]) => pattern)],
  )
  const differing = pairs.filter(([topic, pattern], n) => {
    return rows[n]?.matches !== matchesByModel(topic, pattern)
  })
  expect(differing).toEqual([])
})

test('messages are read in one order, in runs of any size, with all that they were published with', async () => {
  await using store = await openStore()
  const id = randomUUID()
  await store.publish(null, 'a.b', { n: 1n.toString() }, { id, key: 'k', headers: { h: 'é' } })
  for (const size of [1, 7, 2, 12]) {
    await store.publishMany(
      null,
      Array.from({ length: size }, (_, n) => ({ topic: n % 2 ? 'even' : 'odd.x', data: n })),
    )
    await sequenceNow(database.pool)
  }
  const whole = await readAll(1_000)
  expect(whole.map(({ position }) => position)).toEqual(
    Array.from({ length: 23 }, (_, n) => BigInt(n + 1)),
  )
  expect(whole[0]).toMatchObject({
    id,
    topic: 'a.b',
    key: 'k',
    data: { n: '1' },
    headers: { h: 'é' },
  })
  for (const size of [1, 2, 3, 5, 8]) {
    expect(await readAll(size)).toEqual(whole)
    expect(await readAll(size, ['odd.*', 'none'])).toEqual(
      whole.filter(({ topic }) => topic === 'odd.x'),
    )
  }
})

test('a reader stops where the outbox has fewer messages than its ledger promises', async () => {
  await using store = await openStore()
  await store.publishMany(
    null,
    [1, 2, 3].map((data) => ({ topic: 'gone', data })),
  )
  await sequenceNow(database.pool)
  const client = await database.client()
  await client.query('begin')
  await client.query(`delete from tidemark.outbox where topic = 'gone' and data = '2'`)
  for (const maxMessages of [1_000, 2]) {
    const reading = async () => {
      let after: { position: bigint; insertId: string | null } = { position: 0n, insertId: null }
      for (;;) {
        const run = await readOutbox(client, names, { after, maxMessages, topics: ['none'] })
        if (run.end.position === after.position) return
        after = run.end
      }
    }
    await client.query('savepoint s')
    await expect(reading()).rejects.toMatchObject({ code: 'LOG_INCONSISTENT' })
    await client.query('rollback to savepoint s')
  }
  await client.query('rollback')
})

test.each([
  ['a topic with a space', { topic: 'a b', data: 1 }, 'MESSAGE_INVALID'],
  ['data that JSON cannot hold', { topic: 'a', data: undefined }, 'MESSAGE_INVALID'],
  ['an id that is no UUID', { topic: 'a', data: 1, id: 'x' }, 'MESSAGE_INVALID'],
  ['a header that is no text', { topic: 'a', data: 1, headers: { h: 1 } }, 'MESSAGE_INVALID'],
  ['more than 1 MiB', { topic: 'a', data: 'x'.repeat(1_048_577) }, 'MESSAGE_TOO_LARGE'],
] as const)('refuses %s', async (_, message, code) => {
  await using store = await openStore()
  await expect(store.publishMany(null, [message as never])).rejects.toMatchObject({ code })
})

test.each([
  [`select tidemark.publish('a b', '1')`, '23514'],
  [`select tidemark.publish('a..b', '1')`, '23514'],
  [`select tidemark.publish('a', null)`, 'TM005'],
  [`select tidemark.publish('a', '1', null, '[]')`, '23514'],
  [`select tidemark.publish('a', '1', null, '{"h": 1}')`, 'TM005'],
  [`select tidemark.publish('a', to_jsonb(repeat('x', 1048577)))`, 'TM005'],
  [
    `insert into tidemark.outbox (message_id, topic, data, transaction_id)
     values (gen_random_uuid(), 'a', '1', '3')`,
    'TM003',
  ],
  [
    `insert into tidemark.outbox (message_id, topic, data, incarnation)
     values (gen_random_uuid(), 'a', '1', 9)`,
    'TM003',
  ],
  [
    `insert into tidemark.outbox (message_id, topic, data, insert_id) overriding system value
     values (gen_random_uuid(), 'a', '1', 1000000)`,
    'TM003',
  ],
  [`update tidemark.outbox set data = '2'`, 'TM001'],
  ['truncate tidemark.outbox', 'TM001'],
])('SQL that is refused: %s', async (statement, code) => {
  await expect(database.pool.query(statement)).rejects.toMatchObject({ code })
})
