import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, type Store } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

/** The server's lock table has room for a few thousand locks of all sessions together. */

const database = useDatabase()
const Noted = event('note.noted').v(1, z.object({ n: z.int() }))
let store: Store<typeof Noted>

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Noted], maxConnections: 20 })
})

afterAll(() => store.close())

function tagged(prefix: string, events: number, tagsEach: number) {
  return Array.from({ length: events }, (_, n) =>
    Noted({ n }, { tags: Array.from({ length: tagsEach }, (_, t) => `${prefix}:${n}:${t}`) }),
  )
}

async function openTransaction(): Promise<pg.Client> {
  const client = await database.client()
  onTestFinished(() => client.end())
  await client.query('begin')
  return client
}

async function countLocks(client: pg.Client): Promise<number> {
  const { rows } = await client.query(/* sql */ `
    select count(*)::integer as locks
    from pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid()`)
  return rows[0].locks
}

async function untilWaiting(count: number): Promise<void> {
  await until(`${count} sessions to wait for a lock`, async (saw) => {
    const { rows } = await database.pool.query(/* sql */ `
      select query
      from pg_stat_activity
      where datname = current_database() and wait_event = 'advisory'`)
    saw(rows)
    return rows.length === count
  })
}

describe('an append with more tags than the server has locks', () => {
  const many = [500, 100] as const

  test('is carried out, alone and by several at once', async () => {
    const versions = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const { version } = await store.append(`alone-${name}`, tagged(`alone-${name}`, ...many))
        return version
      }),
    )
    expect(versions).toEqual([500n, 500n, 500n])
    const query = { tags: ['alone-b:499:99'] }
    expect((await store.readQuery(query)).events).toHaveLength(1)
  })

  test('is carried out under a condition, and to many streams', async () => {
    const query = Array.from({ length: 300 }, (_, n) => ({ tags: [`condition:${n}`] }))
    const condition = { query }
    const appends = Array.from({ length: 300 }, (_, n) => ({
      streamId: `many-${n}`,
      events: tagged(`condition-${n}`, 1, 30),
    }))
    expect(await store.appendMany(appends, { condition })).toHaveLength(300)
    const event = Noted({ n: 1 }, { tags: ['condition:299'] })
    await store.append('one-1', event, { condition })
    await expect(store.append('one-1', event, { condition })).rejects.toMatchObject({
      code: 'APPEND_CONDITION_FAILED',
    })
  })

  test('takes few locks', async () => {
    const client = await openTransaction()
    await store.append('few-1', tagged('few', ...many), { tx: client })
    expect(await countLocks(client)).toBeLessThan(10)
    await client.query('rollback')
  })

  test('shares its group with others', async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        store.append(`group-${n}`, tagged(`group-${n}`, 5, 40)),
      ),
    )
    expect(results.map(({ version }) => version)).toEqual(results.map(() => 5n))
  })

  test('and those with few wait for each other, and for conditions, without deadlocks', async () => {
    const rounds = Array.from({ length: 15 }, (_, n) => n)
    const outcomes = await Promise.all([
      ...rounds.map((n) => store.append(`mixed-${n % 3}`, tagged('mixed', 60, 5))),
      ...rounds.map((n) => store.append(`mixed-${n % 3}`, tagged('mixed', 1, 1))),
      ...rounds.map((n) =>
        store.decide({ tags: ['mixed:0:0'] }, () => ({
          streamId: `mixed-${n % 3}`,
          events: tagged('mixed', 1, 2),
        })),
      ),
    ])
    expect(outcomes).toHaveLength(45)
    const { events } = await store.readQuery({ tags: ['mixed:0:0'] })
    expect(events).toHaveLength(45)
  })

  test('is no deadlock past the functions either', async () => {
    const insert = (stream: string, version: number) =>
      database.pool.query(
        /* sql */ `
        insert into tidemark.events (stream_id, version, event_id, type, data, tags)
        select $1::text, $2::bigint, gen_random_uuid(), 'note.noted', '{}',
          array(select concat('past:', $1::text, $2::bigint, ':', n) from generate_series(1, 300) as s (n))`,
        [stream, version],
      )
    const writers = ['past-1', 'past-2', 'past-3', 'past-4'].map(async (stream) => {
      for (let version = 1; version <= 25; version += 1) await insert(stream, version)
    })
    await Promise.all(writers)
    expect(await store.streamVersion('past-4')).toBe(25n)
  })

  test('is seen by who decides on one of its tags meanwhile', async () => {
    const client = await openTransaction()
    const query = { tags: ['race:7:7'] }
    const { token } = await store.readQuery(query)
    await store.append('race-1', tagged('race', 10, 30), { tx: client })
    const deciding = store.append('race-2', Noted({ n: 1 }), {
      condition: { query, after: token },
    })
    deciding.catch(() => {})
    await untilWaiting(1)
    await client.query('commit')
    await expect(deciding).rejects.toMatchObject({ code: 'APPEND_CONDITION_FAILED' })
  })
})
