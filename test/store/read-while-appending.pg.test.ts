import { expect, test } from 'vitest'
import { createStore } from '../../src/worker/create-store.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { Noted, noted } from './fixtures.ts'

const database = useDatabase()

const writers = 4
const appendsEach = 40

test('readers by position miss nothing and repeat nothing while others append', async () => {
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [Noted], groupCommit: false })
  let writing = true
  const appended = Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const client = await database.client()
      for (let n = 0; n < appendsEach; n += 1) {
        await client.query('begin')
        await store.append(`w${writer % 2}-${writer}`, noted(n), { tx: client })
        await store.append(`w${writer % 2}-${writer}`, noted(n, n), { tx: client })
        // Others append and are sequenced while this transaction is open.
        if (n % 3 === 0) await store.append(`free-${writer}`, noted(n))
        await client.query(n % 7 === 0 ? 'rollback' : 'commit')
        if (n % 5 === 0) await sequenceNow(database.pool).catch(ifSuperseded)
      }
      await client.end()
    }),
  ).finally(() => {
    writing = false
  })

  const readers = [{}, { category: 'w1' }, { category: 'free' }, { types: ['noted'] }].map(
    async (filter, index) => {
      const seen: string[] = []
      let after = 0n
      for (let isLast = false; !isLast; ) {
        isLast = !writing
        if (isLast) await sequenceNow(database.pool).catch(ifSuperseded)
        for await (const event of store.logEvents({ ...filter, after, maxEvents: 1 + index * 7 })) {
          expect(event.position).toBeGreaterThan(after)
          after = event.position
          seen.push(`${event.position} ${event.streamId}/${event.version}`)
        }
      }
      return { filter, seen }
    },
  )
  await appended
  const results = await Promise.all(readers)

  const { rows } = await database.pool.query(
    `select position || ' ' || stream_id || '/' || version as event, stream_id
     from tidemark.log order by position`,
  )
  const committed = writers * (appendsEach - Math.ceil(appendsEach / 7)) * 3
  const free = writers * Math.ceil(appendsEach / 3)
  expect(rows).toHaveLength(committed + free)
  for (const { filter, seen } of results) {
    const prefix = 'category' in filter ? `${filter.category}-` : ''
    const expected = rows.filter((row) => row.stream_id.startsWith(prefix))
    expect(seen).toEqual(expected.map((row) => row.event))
  }
})

/** Two that sequence at once: one is told to stop, and its commits are in the other's run. */
function ifSuperseded(error: { code?: string }): void {
  if (error.code !== 'TM007') throw error
}

test('an event that was inserted first and committed last is read last', async () => {
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [Noted] })
  const start = await sequenceNow(database.pool)
  const slow = await database.client()
  await slow.query('begin')
  await store.append('late-1', noted(1), { tx: slow })
  await store.append('late-2', noted(2))
  await sequenceNow(database.pool)

  const reader = store.logEvents({ after: start, category: 'late', maxEvents: 1 })
  expect((await reader.next()).value).toMatchObject({ streamId: 'late-2', position: start + 1n })
  expect((await reader.next()).done).toBe(true)
  await slow.query('commit')
  await slow.end()
  await sequenceNow(database.pool)
  const later = await store.readLog({ after: start + 1n, category: 'late' })
  expect(later.events).toMatchObject([{ streamId: 'late-1', position: start + 2n }])
})

test('insert order, which the log is not read by, would have missed it', async () => {
  const { rows } = await database.pool.query(/* sql */ `
    select array_agg(e.stream_id order by e.insert_id) as streams
    from tidemark.events as e
    where e.stream_id like 'late-%'`)
  expect(rows).toEqual([{ streams: ['late-1', 'late-2'] }])
})
